"""A feature view: what is computed per entity from one stream."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from functools import cached_property
from hashlib import blake2b
from typing import Literal

from featurestore.definitions.aggregations.own import namesakes
from featurestore.definitions.columns_used import columns_of
from featurestore.definitions.contract import Kind
from featurestore.definitions.entity import Entity
from featurestore.definitions.expression import Expression
from featurestore.definitions.measure import Measure
from featurestore.definitions.problems import NAME_RULE, is_name, report, require
from featurestore.definitions.row_size import RowSize, row_size
from featurestore.definitions.stream import Stream
from featurestore.definitions.window import (
    BY_EVENTS,
    Window,
    WindowChoice,
    WindowKind,
    most_tiles,
    parse_windows,
)
from featurestore.errors import has, hint
from featurestore.instants import duration_text, duration_us

LARGEST_BUDGET = 65_535  # what one frame can hold
MOST_TILES = 20_000
CLOCKS = ("wall", "event")
LENGTHLESS = {
    WindowKind.LIFETIME: "a lifetime",
    WindowKind.SESSION: "a session",
    WindowKind.LAST: "the last events",
}


@dataclass(frozen=True, slots=True)
class Feature:
    """One feature of a view: a measure over a window.

    Attributes:
        name: ``{measure}_{window}``, unique in its view.
        measure_name: The name the user gave the measure.
        measure: What is computed.
        window: Over what.
        kind: What the value is.
        items: What the items of a list, a vector or the keys of a map are; None for other values.
        size: How many floats a vector has; 0 for other values.
    """

    name: str
    measure_name: str
    measure: Measure
    window: Window
    kind: Kind
    items: Kind | None = None
    size: int = 0


@dataclass(frozen=True)
class FeatureView:
    """Measures over windows, per entity, from one stream.

    Args:
        name: Its name, unique in the store.
        stream: Where the events come from.
        entity: What the features are about; its keys are columns of the stream.
        windows: Sliding windows by their durations, as in ``["10m", "1h"]``, or `tumbling`,
            `lifetime`, `sliding`, `session`, `last_n_events`; `featurestore.definitions.window`
            says which end is open.
        features: Measures by name; each gives one feature per window, ``{name}_{window}``.
        offset: Let every window end this long before now.
        where: Only events for which this is true.
        record_budget: Up to how many records a row stays exact, see `docs/windows.md`.
        shards: Into how many parts the rows are split; each is committed on its own.
        max_age: How old the newest event of an entity may be, as in ``"2h"``; its features are
            null where that is older. At most as long as the longest window reaches back.
        clock: What `now` is for a request that names no moment: ``"wall"``, the wall clock, or
            ``"event"``, the newest event time that the flow has committed of the stream.

    Raises:
        DefinitionError: Anything in it cannot be computed; carries all its problems.
    """

    name: str
    stream: Stream = field(kw_only=True)
    entity: Entity = field(kw_only=True)
    windows: Sequence[str | timedelta | WindowChoice] = field(kw_only=True)
    features: Mapping[str, Measure] = field(kw_only=True)
    offset: str | timedelta | None = field(default=None, kw_only=True)
    where: Expression | str | None = field(default=None, kw_only=True)
    record_budget: int = field(default=128, kw_only=True)
    shards: int = field(default=8, kw_only=True)
    max_age: str | timedelta | None = field(default=None, kw_only=True)
    clock: Literal["wall", "event"] = field(default="wall", kw_only=True)

    def __post_init__(self) -> None:
        require(f"view {self.name!r}", self._types())
        report([f"view {self.name!r}: {problem}" for problem in self._problems()])

    @cached_property
    def parsed_windows(self) -> list[Window]:
        """The windows, in the order given."""
        return parse_windows(self.windows, self.offset)[0]

    @cached_property
    def outputs(self) -> list[Feature]:
        """Every feature, measure by measure, each over the windows in the order given."""
        return [
            Feature(f"{name}_{window.name}", name, measure, window, *kinds, size)
            for name, measure in self.features.items()
            for kinds, size in [(self.kinds_of(measure), self.size_of(measure))]
            for window in self.parsed_windows
        ]

    @cached_property
    def row_size(self) -> RowSize:
        """How large a row may become, once compacted, whatever its traffic."""
        budget, tiles = self.record_budget, most_tiles(self.parsed_windows)
        newest = max(budget // 2, budget - tiles)
        counts_events = any(window.kind is WindowKind.LAST for window in self.parsed_windows)
        return row_size(self.stream, self.features, newest, tiles, newest_tiles=counts_events)

    @property
    def horizon_us(self) -> int:
        """How old an event can be and still count for something."""
        return max(window.reach_us for window in self.parsed_windows)

    @property
    def max_age_us(self) -> int | None:
        """How old the newest event of an entity may be, in microseconds."""
        return duration_us(self.max_age) if self.max_age is not None else None

    @cached_property
    def version(self) -> str:
        """A fingerprint of all that decides what a row holds; another one means other rows.

        >>> from datetime import datetime
        >>> from pydantic import BaseModel
        >>> from featurestore.definitions.aggregations.counting import count
        >>> class Click(BaseModel):
        ...     user_id: str
        ...     at: datetime
        >>> clicks = Stream("clicks", contract=Click, event_time="at")
        >>> def view(*windows):
        ...     return FeatureView("v", stream=clicks, entity=Entity("user", keys=["user_id"]),
        ...                        windows=windows, features={"clicks": count()})
        >>> view("1h").version == view("1h").version, view("1h").version == view("2h").version
        (True, False)
        """
        stream, columns = self.stream, self.stream.columns
        parts: list[object] = [3, stream.name, stream.event_time, self.shards, self.record_budget]
        parts += [(key, columns[key].type_text) for key in self.entity.keys]
        windows = self.parsed_windows
        parts += [(w.kind.value, w.width_us, w.offset_us, w.gap_us, w.events) for w in windows]
        parts += [str(self.where), *(str(measure) for measure in self.features.values())]
        parts += [*stream.shaping, *((name, str(made)) for name, made in stream.derive.items())]
        parts += [(used, columns[used].type_text) for used in self.columns_used]
        if stream.reverses is not None:
            parts += [str(stream.reverses), stream.reverses_time]
        return blake2b(repr(parts).encode(), digest_size=4).hexdigest()

    def select(self, *features: str) -> "Selection":
        """Take only some features into a service, in the order named."""
        return Selection(self, features)

    def prefix(self, prefix: str) -> "Selection":
        """Take all features into a service under names that start with `prefix`."""
        return Selection(self, tuple(f.name for f in self.outputs), prefix)

    def kinds_of(self, measure: Measure) -> tuple[Kind, Kind | None]:
        """Return what a measure gives, and what the items or keys of that are."""
        found = [self.stream.kind_of(expression) for expression in measure.inputs]
        kinds = [kind if isinstance(kind, Kind) else Kind.INT for kind in found]
        rule = measure.rule
        return rule.gives(kinds), rule.items(kinds) if rule.items is not None else None

    def size_of(self, measure: Measure) -> int:
        """Return how many floats the vector has that a measure gives; 0 where it gives none."""
        is_vector = self.kinds_of(measure)[0] is Kind.VECTOR
        return self.stream.size_of(measure.inputs[0]) if is_vector else 0

    @property
    def columns_used(self) -> list[str]:
        """The columns of the stream that its features are computed of, sorted."""
        measures = [each for m in self.features.values() for each in m.everything()]
        expressions = [expression for measure in measures for expression in measure.inputs]
        return sorted(columns_of(self.where, *expressions))

    def _types(self) -> dict[str, bool]:
        """Say what must be what, and whether it is; nothing else is looked at before."""
        listed = isinstance(self.windows, Sequence) and not isinstance(self.windows, str)
        return {
            NAME_RULE: is_name(self.name),
            f"stream must be a Stream, got {self.stream!r}": isinstance(self.stream, Stream),
            f"entity must be an Entity, got {self.entity!r}": isinstance(self.entity, Entity),
            f"windows must be a list, as in ['1h'], got {self.windows!r}": listed,
            f"features must be a dict, as in {{'payments': count()}}, got {self.features!r}": (
                isinstance(self.features, Mapping)
            ),
            f"record_budget must be a whole number, got {self.record_budget!r}": (
                type(self.record_budget) is int
            ),
            f"shards must be a whole number, got {self.shards!r}": type(self.shards) is int,
            f"where must be an expression, got {self.where!r}": (
                isinstance(self.where, Expression | str | None)
            ),
        }

    def _problems(self) -> list[str]:
        windows, problems = parse_windows(self.windows, self.offset)
        names = [window.name for window in windows]
        if not self.windows:
            problems.append("it has no windows; give at least one, as in windows=['1h']")
        problems += [f"window {name!r} stands twice" for name in _repeated(names)]
        problems += self._key_problems()
        problems += self._feature_problems()
        problems += self._rate_problems(windows)
        problems += self._event_problems(windows)
        if self.where is not None:
            kind = self.stream.kind_of(self.where)
            if not isinstance(kind, Kind):
                problems.append(f"where: {kind}")
            elif kind is not Kind.BOOL:
                problems.append(f"where: {self.where} is {kind.value}, but must be true or false")
        made = [f"{name}_{window}" for name in self.features for window in dict.fromkeys(names)]
        problems += [f"two features are named {name!r}; rename one" for name in _repeated(made)]
        if not 1 <= self.record_budget <= LARGEST_BUDGET:
            problems.append(
                f"record_budget {self.record_budget} must be from 1 to {LARGEST_BUDGET}"
            )
        problems += self._tile_problems(windows)
        if not 1 <= self.shards <= 1024:  # noqa: PLR2004 - the range is the message
            problems.append(f"shards {self.shards} must be from 1 to 1024")
        if self.clock not in CLOCKS:
            known = ", ".join(CLOCKS)
            problems.append(
                f"clock {self.clock!r} must be one of {known}{hint(self.clock, CLOCKS)}"
            )
        problems += self._age_problems()
        too_large = None if problems else self.row_size.problem
        return problems if too_large is None else [too_large]

    def _age_problems(self) -> list[str]:
        try:
            age_us = self.max_age_us
        except ValueError as error:
            return [f"max_age {error}"]
        if age_us is None or not self.parsed_windows or age_us <= self.horizon_us:
            return []
        age, reach = duration_text(age_us), duration_text(self.horizon_us)
        problem = (
            f"max_age {age} is longer than its windows reach back, {reach}: older events are not "
            f"kept; shorten it to at most {reach}, or leave it out"
        )
        return [problem]

    def _tile_problems(self, windows: Sequence[Window]) -> list[str]:
        tiles = most_tiles(windows)
        if tiles <= MOST_TILES:
            return []
        finest = min(windows, key=lambda window: (window.hop_us, -window.reach_us))
        is_session = finest.kind is WindowKind.SESSION
        cure = (
            "longest, or lengthen the gap" if is_session else "the offset, or lengthen the window"
        )
        problem = (
            f"a busy row would hold {tiles} tiles, more than {MOST_TILES}: window {finest.name!r} "
            f"needs tiles of {duration_text(finest.hop_us)} as far back as it reaches, "
            f"{duration_text(finest.reach_us)}; shorten {cure}"
        )
        return [problem]

    def _rate_problems(self, windows: Sequence[Window]) -> list[str]:
        kinds = dict.fromkeys(w.kind for w in windows if w.kind in LENGTHLESS)
        measures = [m for m in self.features.values() if isinstance(m, Measure)]
        each = [e for measure in measures for e in measure.everything()]
        rates = [str(e) for e in each if e.aggregation == "rate"]
        return [
            f"{r} over {LENGTHLESS[kind]} has no length to divide by; take count"
            for r in rates
            for kind in kinds
        ]

    def _event_problems(self, windows: Sequence[Window]) -> list[str]:
        """Say which windows, of those that the events themselves start, cannot be."""
        by_events = [w for w in windows if w.kind in BY_EVENTS]
        problems = [
            f"window {w.name!r} starts at an event, and stream {self.stream.name!r} has events "
            f"that undo others (reverses={str(self.stream.reverses)!r}); take a sliding window, "
            "or define a second stream without reverses for it"
            for w in by_events
            if self.stream.reverses is not None
        ]
        for window in by_events:
            if window.events > LARGEST_BUDGET // 2:
                most = LARGEST_BUDGET // 2
                problems.append(f"window {window.name!r}: n must be at most {most}")
            elif window.events > self.record_budget // 2:
                problems.append(
                    f"window {window.name!r} needs a record_budget of {2 * window.events}, as a "
                    f"busy row keeps the newest half of it; got {self.record_budget}: raise it"
                )
        return problems

    def _key_problems(self) -> list[str]:
        columns = self.stream.columns
        problems = [
            f"key {key!r} of entity {self.entity.name!r} is a vector; take a column of one value"
            for key in self.entity.keys
            if key in columns and columns[key].kind is Kind.VECTOR
        ]
        return problems + [
            f"key {key!r} of entity {self.entity.name!r} is not in stream {self.stream.name!r} "
            f"{has(list(columns))}{hint(key, columns)}"
            for key in self.entity.keys
            if key not in columns
        ]

    def _feature_problems(self) -> list[str]:
        problems = [] if self.features else ["it has no features; give at least one"]
        for name, measure in self.features.items():
            if not isinstance(measure, Measure):
                problems.append(f"feature {name!r}: {measure!r} is no aggregation, such as count()")
                continue
            if not name:
                problems.append("a feature has an empty name")
            problems += [f"feature {name!r}: {wrong}" for wrong in self._measure_problems(measure)]
        measures = {n: of for n, of in self.features.items() if isinstance(of, Measure)}
        return problems + namesakes(measures)

    def _measure_problems(self, measure: Measure) -> list[str]:
        problems = [wrong for each in measure.everything() for wrong in each.problems]
        if self.stream.reverses is not None and not measure.is_invertible:
            problems.append(
                f"{measure.aggregation} cannot undo an event, but stream {self.stream.name!r} has "
                f"events that do (reverses={str(self.stream.reverses)!r}); take count, total or "
                "mean, or define a second stream without reverses for it"
            )
        for each in measure.everything():
            kinds = [self.stream.kind_of(expression) for expression in each.inputs]
            found = [kind for kind in kinds if isinstance(kind, Kind)]
            problems += dict.fromkeys(kind for kind in kinds if not isinstance(kind, Kind))
            wrong = each.problem(found) if len(found) == len(kinds) else None
            problems += [wrong] if wrong is not None else []
        for part in measure.parts:
            kind, _ = self.kinds_of(part)
            if not kind.is_number:
                problems.append(f"{measure.aggregation} needs numbers, but {part} is {kind.value}")
        return problems


@dataclass(frozen=True, slots=True)
class Selection:
    """Some features of a view, perhaps under other names.

    Attributes:
        view: The view they come from.
        features: Their names in the view.
        prefix: What is put before each name.
    """

    view: FeatureView
    features: tuple[str, ...]
    prefix: str = ""


def _repeated(names: Sequence[str]) -> list[str]:
    return sorted({name for name in names if list(names).count(name) > 1})
