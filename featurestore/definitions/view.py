"""A feature view: what is computed per entity from one stream."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from functools import cached_property
from hashlib import blake2b

from featurestore.definitions.contract import Kind
from featurestore.definitions.entity import Entity
from featurestore.definitions.expression import Expression
from featurestore.definitions.measure import Measure
from featurestore.definitions.problems import report
from featurestore.definitions.stream import Stream
from featurestore.definitions.window import Window, parse_windows
from featurestore.errors import has, hint


@dataclass(frozen=True, slots=True)
class Feature:
    """One feature of a view: a measure over a window.

    Attributes:
        name: ``{measure}_{window}``, unique in its view.
        measure_name: The name the user gave the measure.
        measure: What is computed.
        window: Over what.
        kind: What the value is.
    """

    name: str
    measure_name: str
    measure: Measure
    window: Window
    kind: Kind


@dataclass(frozen=True)
class FeatureView:
    """Measures over windows, per entity, from one stream.

    Args:
        name: Its name, unique in the store.
        stream: Where the events come from.
        entity: What the features are about; its keys are columns of the stream.
        windows: Sliding windows, as in ``["10m", "1h"]``; `featurestore.definitions.window` says
            which end is open.
        features: Measures by name; each gives one feature per window, ``{name}_{window}``.
        offset: Let every window end this long before now.
        where: Only events for which this is true.
        record_budget: Up to how many records a row stays exact, see `docs/windows.md`.
        shards: Into how many parts the rows are split; each is committed on its own.

    Raises:
        DefinitionError: Anything in it cannot be computed; carries all its problems.
    """

    name: str
    stream: Stream = field(kw_only=True)
    entity: Entity = field(kw_only=True)
    windows: Sequence[str | timedelta] = field(kw_only=True)
    features: Mapping[str, Measure] = field(kw_only=True)
    offset: str | timedelta | None = field(default=None, kw_only=True)
    where: Expression | None = field(default=None, kw_only=True)
    record_budget: int = field(default=128, kw_only=True)
    shards: int = field(default=8, kw_only=True)

    def __post_init__(self) -> None:
        report([f"view {self.name!r}: {problem}" for problem in self._problems()])

    @cached_property
    def parsed_windows(self) -> list[Window]:
        """The windows, in the order given."""
        return parse_windows(self.windows, self.offset)[0]

    @cached_property
    def outputs(self) -> list[Feature]:
        """Every feature, measure by measure, each over the windows in the order given."""
        return [
            Feature(f"{name}_{window.name}", name, measure, window, self._result_kind(measure))
            for name, measure in self.features.items()
            for window in self.parsed_windows
        ]

    @property
    def horizon_us(self) -> int:
        """How old an event can be and still count for something."""
        return max(window.reach_us for window in self.parsed_windows)

    @cached_property
    def version(self) -> str:
        """A fingerprint of all that decides what a row holds; another one means other rows.

        >>> from datetime import datetime
        >>> from pydantic import BaseModel
        >>> from featurestore.definitions.measure import count
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
        parts: list[object] = [1, stream.name, stream.event_time, self.shards, self.record_budget]
        parts += [(key, columns[key].kind.value) for key in self.entity.keys]
        parts += [(window.width_us, window.offset_us) for window in self.parsed_windows]
        parts += [str(self.where), *sorted(str(measure) for measure in self.features.values())]
        parts += [(name, str(derived)) for name, derived in stream.derive.items()]
        parts += [(used, columns[used].kind.value) for used in self.columns_used]
        if stream.reverses is not None:
            parts += [str(stream.reverses), stream.reverses_time]
        return blake2b(repr(parts).encode(), digest_size=4).hexdigest()

    def select(self, *features: str) -> "Selection":
        """Take only some features into a service, in the order named."""
        return Selection(self, features)

    def prefix(self, prefix: str) -> "Selection":
        """Take all features into a service under names that start with `prefix`."""
        return Selection(self, tuple(f.name for f in self.outputs), prefix)

    def _result_kind(self, measure: Measure) -> Kind:
        kind = self.stream.kind_of(measure.of) if measure.of is not None else None
        return measure.result_kind(kind if isinstance(kind, Kind) else None)

    @property
    def columns_used(self) -> list[str]:
        """The columns of the stream that its features are computed of, sorted."""
        expressions = [m.of for m in self.features.values() if m.of is not None]
        expressions += [self.where] if self.where is not None else []
        return sorted({name for expression in expressions for name in expression.columns()})

    def _problems(self) -> list[str]:
        windows, problems = parse_windows(self.windows, self.offset)
        names = [window.name for window in windows]
        if not self.windows:
            problems.append("it has no windows; give at least one, as in windows=['1h']")
        problems += [f"window {name!r} stands twice" for name in _repeated(names)]
        problems += self._key_problems()
        problems += self._feature_problems()
        if self.where is not None:
            kind = self.stream.kind_of(self.where)
            if not isinstance(kind, Kind):
                problems.append(f"where: {kind}")
            elif kind is not Kind.BOOL:
                problems.append(f"where: {self.where} is {kind.value}, but must be true or false")
        made = [f"{name}_{window}" for name in self.features for window in names]
        problems += [f"two features are named {name!r}; rename one" for name in _repeated(made)]
        if self.record_budget < 1:
            problems.append(f"record_budget {self.record_budget} must be at least 1")
        if not 1 <= self.shards <= 1024:  # noqa: PLR2004 - the range is the message
            problems.append(f"shards {self.shards} must be from 1 to 1024")
        return problems

    def _key_problems(self) -> list[str]:
        columns = self.stream.columns
        return [
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
            if self.stream.reverses is not None and not measure.is_invertible:
                problems.append(
                    f"feature {name!r}: {measure.aggregation} cannot undo an event, but stream "
                    f"{self.stream.name!r} has events that do "
                    f"(reverses={str(self.stream.reverses)!r}); take count, total or mean, or "
                    "define a second stream without reverses for it"
                )
            if measure.of is None:
                continue
            kind = self.stream.kind_of(measure.of)
            wrong = measure.problem(kind) if isinstance(kind, Kind) else kind
            if wrong is not None:
                problems.append(f"feature {name!r}: {wrong}")
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
