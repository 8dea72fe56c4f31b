"""Latest: the newest event of another stream by key, such as the profile of who pays."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from functools import cached_property

from featurestore.definitions.aggregations.edges import last
from featurestore.definitions.contract import Kind
from featurestore.definitions.enrichment import Enrichment
from featurestore.definitions.entity import Entity
from featurestore.definitions.expression import Expression, as_expression
from featurestore.definitions.problems import (
    NAME_RULE,
    gathering,
    is_list,
    is_name,
    report,
    require,
)
from featurestore.definitions.stream import Stream
from featurestore.definitions.view import FeatureView
from featurestore.definitions.window import lifetime
from featurestore.errors import has, hint
from featurestore.instants import duration_us

# How finely a key with many events is remembered, the further back the coarser: by 20 minutes, half
# a day, four days.
_PAST = ("24h", "30d", "365d")


@dataclass(frozen=True, eq=False)
class Latest:
    """The newest event of a stream for each key, looked up by the events of other streams.

    An event gets the columns of the newest one at or before its own event time; null where that
    one has none, or there is none (yet). So it never learns of what came after it, and a replay
    gives the same, as long as the other stream has been read that far.

    Args:
        name: Its name; the columns it gives are named ``{name}.{column}``.
        stream: The other stream.
        key: The column of that stream by which its events are found.
        columns: Its columns to take.
        where: Only events of it for which this is true.
        max_age: How old an event of it may be for one that looks it up, as in ``"30d"``; an
            older one is not taken.
        record_budget: Up to how many events of a key the past of a key is exact, see
            `docs/shaping.md`.

    Raises:
        DefinitionError: It cannot be.

    >>> from datetime import datetime
    >>> from pydantic import BaseModel
    >>> class Profile(BaseModel):
    ...     user_id: str
    ...     tier: str
    ...     at: datetime
    >>> profiles = Stream("profiles", contract=Profile, event_time="at")
    >>> profile = Latest("profile", stream=profiles, key="user_id", columns=["tier"])
    >>> list(profile.on("user_id").columns)
    ['profile.tier']
    >>> Latest("profile", stream=profiles, key="user_id", columns=["teir"])
    Traceback (most recent call last):
      ...
    featurestore.errors.DefinitionError: latest 'profile': column 'teir' is not in stream \
'profiles' (has: user_id, tier, at); did you mean 'tier'?
    """

    name: str
    stream: Stream = field(kw_only=True)
    key: str = field(kw_only=True)
    columns: Sequence[str] = field(kw_only=True)
    where: Expression | str | None = field(default=None, kw_only=True)
    max_age: str | timedelta | None = field(default=None, kw_only=True)
    record_budget: int = field(default=128, kw_only=True)

    def __post_init__(self) -> None:
        holds = {
            NAME_RULE: is_name(self.name),
            f"stream must be a Stream, got {self.stream!r}": isinstance(self.stream, Stream),
            f"key must name a column, got {self.key!r}": isinstance(self.key, str),
            f"columns {self.columns!r} must be a list, as in columns=[{_first(self.columns)!r}]": (
                is_list(self.columns, str)
            ),
        }
        require(self.title, holds)
        report([f"{self.title}: {problem}" for problem in self._problems()])

    def on(self, key: str | Expression, name: str | None = None) -> Enrichment:
        """Look up events by a column, or an expression over columns; use it in `Stream.enrich`.

        Args:
            key: What is looked up.
            name: What the columns start with, in the place of its name, where a stream looks up two
                things in it, such as who pays and who is paid.
        """
        return Enrichment(self, as_expression(key), name or self.name)

    @cached_property
    def view(self) -> FeatureView:
        """The view that keeps it, beside those of the user: the last value of each column."""
        return FeatureView(
            f"latest:{self.name}",
            stream=self.stream,
            entity=Entity(f"latest:{self.name}", keys=[self.key]),
            windows=[lifetime(), *_PAST],
            features={name: last(name) for name in self.columns},
            where=self.where,
            record_budget=self.record_budget,
        )

    @property
    def kinds(self) -> dict[str, Kind]:
        """What each of its columns holds."""
        known = self.stream.columns
        return {name: known[name].kind for name in self.columns if name in known}

    @property
    def key_kind(self) -> Kind:
        """What its keys are."""
        known = self.stream.columns
        return known[self.key].kind if self.key in known else Kind.TEXT

    @property
    def key_cure(self) -> str:
        """What to do where events have keys of another kind."""
        return f"look up by what stream {self.stream.name!r} has in {self.key!r}, or cast"

    @property
    def title(self) -> str:
        """How it is called in messages."""
        return f"latest {self.name!r}"

    @property
    def identity(self) -> str:
        """What stands for it in the version of a view: the version of its own."""
        return f"{self.view.name}@{self.view.version} within {self.max_age_us}"

    @property
    def upstream(self) -> tuple[str, ...]:
        """The streams it comes of: its own, and what that is enriched from."""
        further = [name for made in self.stream.enrich for name in made.table.upstream]
        return (self.stream.name, *further)

    @property
    def max_age_us(self) -> int | None:
        """How old an event of it may be, in microseconds."""
        return duration_us(self.max_age) if self.max_age is not None else None

    def _problems(self) -> list[str]:
        problems = self._column_problems()
        if self.stream.reverses is not None:
            problems.append(
                f"stream {self.stream.name!r} has events that undo others "
                f"(reverses={str(self.stream.reverses)!r}), and the newest one cannot be undone; "
                "define a second stream without reverses for it"
            )
        try:
            duration_us(self.max_age) if self.max_age is not None else None
        except ValueError as error:
            problems.append(f"max_age {error}")
        return problems or self._view_problems()

    def _column_problems(self) -> list[str]:
        known, names = list(self.stream.columns), list(self.columns)
        problems = [] if names else ["it has no columns; name at least one to take"]
        problems += [
            f"{role} {name!r} is not in stream {self.stream.name!r} {has(known)}{hint(name, known)}"
            for role, name in (("key", self.key), *(("column", name) for name in names))
            if name not in known
        ]
        problems += [
            f"column {name!r} is a vector, which no event can take over; read last({name!r}) from "
            "a view of its own beside"
            for name in names
            if name in known and self.kinds[name] is Kind.VECTOR
        ]
        twice = sorted({name for name in names if names.count(name) > 1})
        return problems + [f"column {name!r} stands twice" for name in twice]

    def _view_problems(self) -> list[str]:
        """Say what else keeps its view from being made."""
        with gathering() as problems:
            mark = f"view {self.view.name!r}: "
        return [problem.removeprefix(mark) for problem in problems]


def _first(columns: object) -> str:
    """Return a column that was meant, for an example."""
    return columns if isinstance(columns, str) else "tier"
