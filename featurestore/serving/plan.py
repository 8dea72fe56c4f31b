"""A plan: a feature service compiled once, so that a request only fetches and merges."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TypeVar, cast

from featurestore.aggregation.entity_keys import encode_key
from featurestore.aggregation.layout import Layout
from featurestore.aggregation.short_rows import Read, ShortRows
from featurestore.aggregation.windows import read
from featurestore.definitions.contract import Kind
from featurestore.definitions.service import FeatureService
from featurestore.definitions.view import FeatureView
from featurestore.errors import BadEntity, has
from featurestore.serving.key_values import canonical
from featurestore.serving.vector import Shape, Vectors
from featurestore.storage.keys import row_key, view_tag

Item = TypeVar("Item")

# From so many rows on one pass with arrays is faster than one row at a time; measured.
MANY_ROWS = 100


@dataclass(frozen=True)
class Plan:
    """How to answer a request for one service.

    Entities become row keys, rows become vectors; between the two the caller fetches the rows, so
    that the same plan serves over HTTP, in process and in tests.
    """

    service: FeatureService

    @cached_property
    def features(self) -> list[str]:
        """The names of the vector's places."""
        return [served.name for served in self.service.served]

    @cached_property
    def kinds(self) -> list[Kind]:
        """What each place holds."""
        return [served.feature.kind for served in self.service.served]

    @cached_property
    def keys(self) -> dict[str, Kind]:
        """The keys every entity must have."""
        return self.service.keys

    def row_keys(self, entities: Sequence[Mapping[str, object]]) -> list[bytes]:
        """Return the rows to fetch: for each entity one per view, entity by entity.

        Raises:
            BadEntity: A key is missing or of the wrong type.

        Cost: about 1 µs per row.
        """
        found = []
        for index, entity in enumerate(entities):
            values = self._key_values(index, entity)
            for part in self._parts:
                name = encode_key([values[key] for key in part.view.entity.keys])
                found.append(row_key(part.tags, name))
        return found

    def answer(self, rows: Sequence[bytes | None], now_us: int) -> Vectors:
        """Return the vectors as of a moment.

        Args:
            rows: What was found under `row_keys`, None where nothing was.
            now_us: The moment, in microseconds UTC.

        Cost: 10-20 µs for one entity of one short row; some 100 µs and 5 µs per row for many.
        """
        step = len(self._parts)
        reads = [part.read(rows[n::step], now_us) for n, part in enumerate(self._parts)]
        if step == 1 and self._order is None:
            raw = [values for values, _ in reads[0]]
            times = [times for _, times in reads[0]]
        else:
            entities = list(zip(*reads, strict=True))
            raw = [self._vector([values for values, _ in entity]) for entity in entities]
            times = [self._vector([times for _, times in entity]) for entity in entities]
        found = [row is not None for row in rows]
        here = [found[at : at + step] for at in range(0, len(found), step)]
        return Vectors(self.shape, raw, times, here)

    @cached_property
    def shape(self) -> Shape:
        """What the places of the vector hold."""
        owners = {place: n for n, part in enumerate(self._parts) for place in part.places}
        views = [owners[place] for place in range(len(self.features))]
        return Shape(self.features, self.kinds, views)

    def _vector(self, parts: Sequence[list[Item]]) -> list[Item]:
        """Join what each view contributes, and put it into the order of the service."""
        joined = parts[0] if len(parts) == 1 else [item for part in parts for item in part]
        return [joined[place] for place in self._order] if self._order is not None else joined

    @cached_property
    def _order(self) -> list[int] | None:
        """For each place of the vector where it stands view by view; None if just there."""
        places = [place for part in self._parts for place in part.places]
        by_view = [places.index(place) for place in range(len(places))]
        return None if by_view == sorted(by_view) else by_view

    def _key_values(self, index: int, entity: Mapping[str, object]) -> dict[str, object]:
        values = {}
        for key, kind in self.keys.items():
            if key not in entity:
                given = sorted(str(name) for name in entity)
                raise BadEntity(index, f"key {key!r} ({kind.value}) is missing {has(given)}")
            try:
                values[key] = canonical(entity[key], kind)
            except ValueError as error:
                raise BadEntity(index, f"key {key!r} {error}") from error
        return values

    @cached_property
    def _parts(self) -> "list[_Part]":
        return [_part(self.service, view) for view in self.service.views]


@dataclass(frozen=True)
class _Part:
    """What one view contributes to a vector.

    Attributes:
        places: Where its values go.
        outputs: Which of the view's features they are.
    """

    view: FeatureView
    layout: Layout
    tags: list[bytes]
    places: list[int]
    outputs: list[int]

    @cached_property
    def short(self) -> ShortRows:
        return ShortRows(self.layout, self.outputs)

    def read(self, rows: Sequence[bytes | None], now_us: int) -> list[Read]:
        """Return what each row holds, by whichever way is faster."""
        if len(rows) >= MANY_ROWS:
            return self._arrays(rows, now_us)
        short = self.short
        reads = [short.nothing if row is None else short.read(row, now_us) for row in rows]
        if None in reads:
            long = [number for number, found in enumerate(reads) if found is None]
            others = self._arrays([rows[number] for number in long], now_us)
            for number, found in zip(long, others, strict=True):
                reads[number] = found
        return cast("list[Read]", reads)

    def _arrays(self, rows: Sequence[bytes | None], now_us: int) -> list[Read]:
        answer = read(self.layout, rows, now_us)
        values = zip(*(answer.columns[output] for output in self.outputs), strict=True)
        times = zip(*(answer.event_us[output] for output in self.outputs), strict=True)
        return [(list(v), list(t)) for v, t in zip(values, times, strict=True)]


def _part(service: FeatureService, view: FeatureView) -> _Part:
    numbers = {feature.name: number for number, feature in enumerate(view.outputs)}
    mine = [(place, s) for place, s in enumerate(service.served) if s.view is view]
    places = [place for place, _ in mine]
    outputs = [numbers[served.feature.name] for _, served in mine]
    tags = [view_tag(view, shard) for shard in range(view.shards)]
    return _Part(view, Layout.of(view), tags, places, outputs)
