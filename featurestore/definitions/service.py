"""A feature service: the named vector that one model reads."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TypeAlias

from featurestore.definitions.contract import Kind
from featurestore.definitions.defaults import Default, raw_default, vector_default
from featurestore.definitions.on_demand import Declared, OnDemand
from featurestore.definitions.problems import NAME_RULE, is_name, report, require
from featurestore.definitions.served import Served, selection_of, served_of, unknown_in
from featurestore.definitions.view import FeatureView, Selection
from featurestore.errors import hint


@dataclass(frozen=True, slots=True)
class Computed:
    """One place of a vector that a function gives when it is asked for."""

    name: str
    kind: Kind
    size: int
    by: OnDemand


Place: TypeAlias = Served | Computed


@dataclass(frozen=True)
class FeatureService:
    """The vector of one model: features of views, in the order given, names unique in it.

    Args:
        name: Its name, as callers ask for it.
        features: Views, or parts of them: ``view.select("spent_1h")``, ``view.prefix("shop_")``;
            on-demand features; other services, whose features and defaults then stand in this one.
        defaults: By feature what stands in the vector where it would be null; see
            `docs/services.md`.

    Raises:
        DefinitionError: Two features have one name, a selected one is not there, keys of one name
            differ in type, a default is of the wrong type.
    """

    name: str
    features: "Sequence[FeatureView | Selection | OnDemand | FeatureService]" = field(kw_only=True)
    defaults: Mapping[str, object] = field(default_factory=dict, kw_only=True)

    def __post_init__(self) -> None:
        kinds = (FeatureView, Selection, OnDemand, FeatureService)
        listed = isinstance(self.features, Sequence) and not isinstance(self.features, str)
        odd = [part for part in self.features if not isinstance(part, kinds)] if listed else []
        holds = {
            NAME_RULE: is_name(self.name),
            f"features must be a list of views, got {self.features!r}": listed,
            f"features must be views, parts of them, functions or services, got {odd}": not odd,
            f"defaults must be a dict of values by name, got {self.defaults!r}": (
                isinstance(self.defaults, Mapping)
            ),
        }
        require(f"service {self.name!r}", holds)
        report([f"service {self.name!r}: {problem}" for problem in self._problems()])

    @cached_property
    def places(self) -> list[Place]:
        """The vector, place by place."""
        return [place for part in self._parts for place in _places(part)]

    @cached_property
    def served(self) -> list[Served]:
        """The places of the vector that are features of views."""
        return [place for place in self.places if isinstance(place, Served)]

    @cached_property
    def on_demand(self) -> list[OnDemand]:
        """The functions it calls."""
        return [part for part in self._parts if isinstance(part, OnDemand)]

    @cached_property
    def context(self) -> dict[str, Declared]:
        """What a request must bring along."""
        return {name: each for f in self.on_demand for name, each in f.declared.items()}

    @cached_property
    def views(self) -> list[FeatureView]:
        """The views it reads, each once."""
        read = [part.view for part in self._parts if isinstance(part, Selection)]
        read += [needed.view for function in self.on_demand for needed in function.needs]
        return list({id(view): view for view in read}.values())

    @cached_property
    def keys(self) -> dict[str, Kind]:
        """The keys an entity in a request must have, in order of first mention."""
        return {
            key: view.stream.columns[key].kind
            for view in self.views
            for key in view.entity.keys
            if key in view.stream.columns
        }

    @cached_property
    def services(self) -> "list[FeatureService]":
        """The services in it, and those in them."""
        inner = [part for part in self.features if isinstance(part, FeatureService)]
        return inner + [deeper for service in inner for deeper in service.services]

    @cached_property
    def fills(self) -> dict[str, Default | list[Default]]:
        """What stands in for nulls, as the vector holds it; its own before those of services in it.

        Instants are in microseconds UTC, dates in days since 1970.
        """
        inner = [part.fills for part in self.features if isinstance(part, FeatureService)]
        given = {name: fill for fills in inner for name, fill in fills.items()}
        return given | self._own_defaults()[0]

    @cached_property
    def _parts(self) -> list[Selection | OnDemand]:
        return [part for given in self.features for part in _parts(given)]

    def _problems(self) -> list[str]:
        some = [part for part in self._parts if not isinstance(part, Selection) or part.features]
        problems = [] if some else ["it has no features; list at least one view"]
        for part in self._parts:
            problems += unknown_in(part) if isinstance(part, Selection) else []
        problems += [*self._clashes(), *self._key_clashes(), *self._context_clashes()]
        return problems + self._own_defaults()[1]

    def _own_defaults(self) -> tuple[dict[str, Default | list[Default]], list[str]]:
        """Return its own defaults that are right, and what is wrong with the others."""
        kinds = {place.name: (place.kind, place.size) for place in self.places}
        fills: dict[str, Default | list[Default]] = {}
        problems = []
        for name, value in self.defaults.items():
            if name not in kinds:
                problems.append(f"default {name!r} is no feature of it{hint(name, kinds)}")
                continue
            try:
                kind, size = kinds[name]
                fills[name] = vector_default(value, size) if size else raw_default(value, kind)
            except ValueError as error:
                problems.append(f"default {name!r} {error}")
        return fills, problems

    def _clashes(self) -> list[str]:
        owners: dict[str, list[FeatureView | OnDemand]] = {}
        for place in self.places:
            owner = place.view if isinstance(place, Served) else place.by
            owners.setdefault(place.name, []).append(owner)
        return [
            _clash(name, first, other)
            for name, (first, *others) in owners.items()
            for other in others
        ]

    def _context_clashes(self) -> list[str]:
        return [
            f"context {name!r} is {each} in {function.name!r} but {self.context[name]} in another "
            "on-demand feature; give one of them another name"
            for function in self.on_demand
            for name, each in function.declared.items()
            if self.context[name] != each
        ]

    def _key_clashes(self) -> list[str]:
        problems = []
        for view in self.views:
            for key in view.entity.keys:
                column = view.stream.columns.get(key)
                if column is not None and self.keys[key] is not column.kind:
                    problems.append(
                        f"key {key!r} is {column.kind.value} in view {view.name!r} but "
                        f"{self.keys[key].value} in another; give one of them another name"
                    )
        return problems


def _parts(
    given: FeatureView | Selection | OnDemand | FeatureService,
) -> list[Selection | OnDemand]:
    if isinstance(given, FeatureService):
        return given._parts  # noqa: SLF001 - its own kind
    return [given if isinstance(given, OnDemand) else selection_of(given)]


def _places(part: Selection | OnDemand) -> list[Place]:
    if isinstance(part, OnDemand):
        return [Computed(name, d.kind, d.size, part) for name, d in part.promised.items()]
    return [*served_of(part)]


def _clash(name: str, first: FeatureView | OnDemand, other: FeatureView | OnDemand) -> str:
    if first is other:
        return f"{_what(first)} {first.name!r} gives {name!r} twice"
    if isinstance(first, FeatureView) and isinstance(other, FeatureView):
        return (
            f"views {first.name!r} and {other.name!r} both give {name!r}; rename "
            f"one, as in {other.name}.prefix('{other.name}_')"
        )
    function = other if isinstance(other, OnDemand) else first
    return (
        f"{_what(first)} {first.name!r} and {_what(other)} {other.name!r} both give {name!r}; "
        f"give it another name in {function.name!r}"
    )


def _what(owner: FeatureView | OnDemand) -> str:
    return "view" if isinstance(owner, FeatureView) else "on-demand feature"
