"""What goes over the wire, as pydantic models: for the documentation and for slow routes.

The hot routes read and write the same shapes without them.
"""

from typing import Annotated, Any

from pydantic import BaseModel, Field
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue

from featurestore.definitions.catalog import Catalog
from featurestore.definitions.contract import type_text
from featurestore.definitions.service import Computed, Place
from featurestore.definitions.stream import Stream
from featurestore.definitions.view import FeatureView
from featurestore.instants import duration_text
from featurestore.serving.plan import Plan


class FeaturesRequest(BaseModel):
    """Which entities to look up, and as of when."""

    entities: Annotated[
        list[dict[str, Any]],
        Field(min_length=1, max_length=1000, description="The keys of each entity, by name."),
    ]
    as_of: Annotated[
        str | None,
        Field(description="The moment to look back from, as 2026-01-31T12:00:00Z; else now."),
    ] = None
    include: Annotated[
        list[str], Field(description="What to add to the answer: statuses, event_times, exact.")
    ] = []
    features: Annotated[
        list[str] | None,
        Field(description="The features wanted, in the order wanted; all if absent."),
    ] = None
    context: Annotated[
        dict[str, Any] | list[dict[str, Any]] | None,
        Field(
            description="What on-demand features are computed of besides: one object for all "
            "entities, or one for each."
        ),
    ] = None


class FeaturesResponse(BaseModel):
    """The vectors, one per entity in the order of the request."""

    service: str
    as_of: Annotated[str, Field(description="The moment of the request: what windows end at.")]
    features: Annotated[list[str], Field(description="The names of a vector's places.")]
    vectors: Annotated[list[list[Any]], Field(description="null where there is no value.")]
    statuses: Annotated[
        list[list[str]] | None,
        Field(description="PRESENT, NULL_VALUE, NOT_FOUND or OUTSIDE_MAX_AGE for each value."),
    ] = None
    event_times: Annotated[
        list[list[str | None]] | None,
        Field(description="The time of the newest event behind each value."),
    ] = None
    exact: Annotated[
        list[list[bool]] | None,
        Field(
            description="Whether each value is exactly that of the events; false where a window's "
            "edge cuts a tile, or for an estimate, so that it may be off by its stated bound."
        ),
    ] = None
    clocks: Annotated[
        dict[str, str] | None,
        Field(description="What windows of views with an event clock end at, by stream."),
    ] = None


class RejectedEvent(BaseModel):
    """An event that was not taken."""

    index: Annotated[int, Field(description="Its place in the body, from 0.")]
    reason: Annotated[str, Field(description="What is wrong with it, and where.")]


class EventsResponse(BaseModel):
    """What became of the events of one call."""

    accepted: Annotated[int, Field(description="How many the store has now.")]
    rejected: list[RejectedEvent]


class Problem(BaseModel):
    """An error, as RFC 9457 has it."""

    type: str
    title: str
    status: int
    detail: Annotated[str, Field(description="Where, what was expected, what came, what to do.")]
    instance: str
    pointer: Annotated[str | None, Field(description="The part of the request that is wrong.")] = (
        None
    )


class ServiceFeature(BaseModel):
    """One place of a service's vector."""

    name: str
    type: str
    view: str | None = None
    window: str | None = None
    on_demand: Annotated[
        str | None, Field(description="The function that computes it, where no view does.")
    ] = None
    default: Annotated[
        Any, Field(description="What stands in the vector where it would be null; else absent.")
    ] = None


class Service(BaseModel):
    """A service: what to ask for, and what comes back."""

    name: str
    keys: Annotated[dict[str, str], Field(description="The keys of an entity, with their types.")]
    context: Annotated[
        dict[str, str] | None,
        Field(description="What a request must bring along; a type with ? may be missing."),
    ] = None
    features: list[ServiceFeature]

    @classmethod
    def of(cls, plan: Plan) -> "Service":
        """Describe a service."""
        fills = plan.shape.written_fills
        return cls(
            name=plan.service.name,
            keys={key: kind.value for key, kind in plan.keys.items()},
            context={name: str(declared) for name, declared in plan.context.items()} or None,
            features=[_feature(p, fill) for p, fill in zip(plan.places, fills, strict=True)],
        )


def _feature(place: Place, default: object) -> ServiceFeature:
    kind = type_text(place.kind, place.size)
    if isinstance(place, Computed):
        return ServiceFeature(name=place.name, type=kind, on_demand=place.by.name, default=default)
    window = place.feature.window.name
    return ServiceFeature(
        name=place.name, type=kind, view=place.view.name, window=window, default=default
    )


class ViewFeature(BaseModel):
    """One feature of a view."""

    name: str
    type: str
    measure: str
    window: str


class View(BaseModel):
    """A view: what is computed, from which stream, about what."""

    name: str
    version: str
    stream: str
    entity: str
    keys: dict[str, str]
    windows: list[str]
    offset: str | None
    where: str | None
    max_age: Annotated[
        str | None, Field(description="How old an entity's newest event may be; else all is null.")
    ]
    clock: Annotated[
        str, Field(description="What now is: wall, or event, the newest one of the stream.")
    ]
    features: list[ViewFeature]

    @classmethod
    def of(cls, view: FeatureView) -> "View":
        """Describe a view."""
        columns, windows = view.stream.columns, view.parsed_windows
        offset_us = windows[0].offset_us
        return cls(
            name=view.name,
            version=view.version,
            stream=view.stream.name,
            entity=view.entity.name,
            keys={key: columns[key].kind.value for key in view.entity.keys},
            windows=[window.name for window in windows],
            offset=duration_text(offset_us) if offset_us else None,
            where=str(view.where) if view.where is not None else None,
            clock=view.clock,
            max_age=duration_text(view.max_age_us) if view.max_age_us else None,
            features=[
                ViewFeature(
                    name=f.name,
                    type=type_text(f.kind, f.size),
                    measure=str(f.measure),
                    window=f.window.name,
                )
                for f in view.outputs
            ],
        )


class _Permissive(GenerateJsonSchema):
    """Writes a JSON Schema in which a field of a type that has none may be anything."""

    def handle_invalid_for_json_schema(self, schema: object, error_info: str) -> JsonSchemaValue:  # noqa: ARG002 - it is asked so
        return {}


class StreamSchema(BaseModel):
    """A stream: what its producers promise."""

    name: str
    event_time: str
    event_id: str | None
    columns: Annotated[dict[str, str], Field(description="What features can use, with types.")]
    contract: Annotated[dict[str, Any], Field(description="The contract as JSON Schema.")]

    @classmethod
    def of(cls, stream: Stream) -> "StreamSchema":
        """Describe a stream."""
        return cls(
            name=stream.name,
            event_time=stream.event_time,
            event_id=stream.event_id,
            columns={name: column.type_text for name, column in stream.columns.items()},
            contract=stream.contract.model_json_schema(schema_generator=_Permissive),
        )


class Services(BaseModel):
    """All services."""

    services: list[Service]

    @classmethod
    def of(cls, plans: dict[str, Plan]) -> "Services":
        """Describe services."""
        return cls(services=[Service.of(plan) for plan in plans.values()])


class Views(BaseModel):
    """All views."""

    views: list[View]

    @classmethod
    def of(cls, catalog: Catalog) -> "Views":
        """Describe the views of a catalog."""
        return cls(views=[View.of(view) for view in catalog.views.values()])


class Streams(BaseModel):
    """All streams."""

    streams: list[StreamSchema]

    @classmethod
    def of(cls, catalog: Catalog) -> "Streams":
        """Describe the streams of a catalog."""
        return cls(streams=[StreamSchema.of(stream) for stream in catalog.streams.values()])


class State(BaseModel):
    """Whether the server is fine."""

    status: str
