"""A feature service: the named vector that one model reads."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property

from featurestore.definitions.contract import Kind
from featurestore.definitions.problems import report
from featurestore.definitions.view import Feature, FeatureView, Selection
from featurestore.errors import has, hint


@dataclass(frozen=True, slots=True)
class Served:
    """One place of a vector: which feature of which view, under which name."""

    name: str
    view: FeatureView
    feature: Feature


@dataclass(frozen=True)
class FeatureService:
    """The vector of one model: features of views, in the order given, names unique in it.

    Args:
        name: Its name, as callers ask for it.
        features: Views, or parts of them: ``view.select("spent_1h")``, ``view.prefix("shop_")``.

    Raises:
        DefinitionError: Two features have one name, a selected one is not there, keys of one name
            differ in type.
    """

    name: str
    features: Sequence[FeatureView | Selection] = field(kw_only=True)

    def __post_init__(self) -> None:
        report([f"service {self.name!r}: {problem}" for problem in self._problems()])

    @cached_property
    def served(self) -> list[Served]:
        """The vector, place by place."""
        return [
            Served(selection.prefix + name, selection.view, features[name])
            for selection in self._selections
            for features in [{f.name: f for f in selection.view.outputs}]
            for name in selection.features
            if name in features
        ]

    @cached_property
    def views(self) -> list[FeatureView]:
        """The views it reads, each once."""
        return list({id(s.view): s.view for s in self._selections}.values())

    @cached_property
    def keys(self) -> dict[str, Kind]:
        """The keys an entity in a request must have, in order of first mention."""
        return {
            key: view.stream.columns[key].kind
            for view in self.views
            for key in view.entity.keys
            if key in view.stream.columns
        }

    @property
    def _selections(self) -> list[Selection]:
        return [v.prefix("") if isinstance(v, FeatureView) else v for v in self.features]

    def _problems(self) -> list[str]:
        problems = [] if self.features else ["it has no features; list at least one view"]
        for selection in self._selections:
            known = [feature.name for feature in selection.view.outputs]
            problems += [
                f"view {selection.view.name!r} has no feature {name!r} {has(known)}"
                f"{hint(name, known)}"
                for name in selection.features
                if name not in known
            ]
        return problems + self._clashes() + self._key_clashes()

    def _clashes(self) -> list[str]:
        seen: dict[str, str] = {}
        problems = []
        for served in self.served:
            other = seen.setdefault(served.name, served.view.name)
            if [s.name for s in self.served].count(served.name) > 1 and other != served.view.name:
                problems.append(
                    f"views {other!r} and {served.view.name!r} both give {served.name!r}; rename "
                    f"one, as in {served.view.name}.prefix('{served.view.name}_')"
                )
        names = [(s.name, s.view.name) for s in self.served]
        twice = sorted({name for name in names if names.count(name) > 1})
        return problems + [f"view {view!r} gives {name!r} twice" for name, view in twice]

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
