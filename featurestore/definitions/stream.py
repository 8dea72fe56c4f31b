"""A stream: events of one shape, as their producer promises them, and how they are shaped.

::

    event ─► contract ─► transforms ─► enrich ─► derive ─► where ─► the columns of features

Each step sees the columns that the one before left.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from functools import cached_property

import pyarrow as pa
from pydantic import BaseModel

from featurestore.definitions.columns_used import columns_of
from featurestore.definitions.contract import (
    Column,
    Kind,
    contract_columns,
    kind_of,
    vector_size,
)
from featurestore.definitions.enrichment import Enrichment, Table
from featurestore.definitions.expression import COMPARISONS, Expression, as_expression
from featurestore.definitions.problems import NAME_RULE, is_list, is_name, report, require
from featurestore.definitions.reference import Reference
from featurestore.definitions.transform import Transform, fingerprint, transformed
from featurestore.definitions.vectors import misuse, why_no_vector
from featurestore.errors import has, hint
from featurestore.instants import duration_us


@dataclass(frozen=True)
class Stream:
    """Events of one shape.

    Args:
        name: Its name, unique in the store.
        contract: A pydantic model: what a producer promises of every event.
        event_time: The datetime column that says when it happened; naive values are UTC.
        event_id: The column that names the event.
        dedupe: How long an `event_id` seen again is taken for the same event, as in ``"24h"``.
        transforms: Functions of your own from a batch of events to one with other columns;
            `featurestore.definitions.transform` has the rules.
        enrich: Further columns, looked up in tables, `Reference`, or in the newest events of
            another stream, `Latest`: ``[merchants.on("merchant_id"), profile.on("user_id")]``.
        derive: Further columns, as expressions over all of these.
        where: Only events for which this is true; the others are counted as ``filtered``.
        reverses: A boolean column, or an expression, that is true for events that undo an earlier
            one, such as a refund. It must carry what it undoes: the same entity keys, and the same
            values in all columns that features use. `event_time` is when the earlier one happened,
            unless `reverses_time` is given.
        reverses_time: The column in which such an event says when the earlier one happened.
        clock_skew: How far ahead of the clock an event may be before it is refused as `future`.

    Raises:
        DefinitionError: A column is not in the contract or of the wrong type, a duration is none.

    >>> from datetime import datetime
    >>> class Click(BaseModel):
    ...     user_id: str
    ...     at: datetime
    >>> Stream("clicks", contract=Click, event_time="when")
    Traceback (most recent call last):
      ...
    featurestore.errors.DefinitionError: stream 'clicks': event_time 'when' is not in contract \
'Click' (has: user_id, at)
    """

    name: str
    contract: type[BaseModel] = field(kw_only=True)
    event_time: str = field(kw_only=True)
    event_id: str | None = field(default=None, kw_only=True)
    dedupe: str | timedelta | None = field(default=None, kw_only=True)
    transforms: Sequence[Transform] = field(default=(), kw_only=True)
    enrich: Sequence[Enrichment] = field(default=(), kw_only=True)
    derive: Mapping[str, Expression | str] = field(default_factory=dict, kw_only=True)
    where: Expression | str | None = field(default=None, kw_only=True)
    reverses: str | Expression | None = field(default=None, kw_only=True)
    reverses_time: str | None = field(default=None, kw_only=True)
    clock_skew: str | timedelta = field(default="1m", kw_only=True)

    def __post_init__(self) -> None:
        require(f"stream {self.name!r}", self._types())
        report(self._problems())

    @cached_property
    def columns(self) -> dict[str, Column]:
        """Every column features can use: the contract's as shaped, looked up, then derived ones."""
        columns = dict(self.looked_up)
        for name, expression in self.derive.items():
            made = self._derived(name, expression, columns)
            if isinstance(made, Column):
                columns[name] = made
        return columns

    @cached_property
    def shaped(self) -> dict[str, Column]:
        """The columns after the transforms: what is looked up by."""
        columns = contract_columns(self.contract)
        made = transformed(columns, self.transforms) if self.transforms else columns
        return columns if isinstance(made, str) else made

    @cached_property
    def looked_up(self) -> dict[str, Column]:
        """The columns after the look-ups: what derived ones are made of."""
        found = {n: kind for enrichment in self.enrich for n, kind in enrichment.columns.items()}
        extra = {n: Column(n, kind, nullable=True, path=()) for n, kind in found.items()}
        return {**self.shaped, **extra}

    @property
    def references(self) -> list[Reference]:
        """The references its events are looked up in, each once."""
        tables = [e.table for e in self.enrich if isinstance(e.table, Reference)]
        return list({id(table): table for table in tables}.values())

    @cached_property
    def upstream(self) -> frozenset[str]:
        """The streams its events are looked up in, and those that these are, and so on."""
        return frozenset(name for made in self.enrich for name in made.table.upstream)

    @cached_property
    def shaping(self) -> list[str]:
        """A fingerprint of how events are shaped; empty where they are only derived from."""
        parts = [f"transform {fingerprint(transform)}" for transform in self.transforms]
        parts += [f"enrich {enrichment.fingerprint}" for enrichment in self.enrich]
        return [*parts, f"where {self.where}"] if self.where is not None else parts

    @property
    def clock_skew_us(self) -> int:
        """How far ahead of the clock an event may be, in microseconds."""
        return duration_us(self.clock_skew)

    def kind_of(self, expression: Expression | str) -> Kind | str:
        """Return what an expression over this stream's columns holds, or what is wrong with it."""
        return self._derived_kind(expression, self.columns)

    def size_of(self, expression: Expression) -> int:
        """Return how many floats an expression's vectors have; 0 where it gives none."""
        made = self._derived("", expression, self.columns)
        return made.size if isinstance(made, Column) else 0

    def _derived_kind(
        self, expression: Expression | str, columns: Mapping[str, Column]
    ) -> Kind | str:
        made = self._derived("", expression, columns)
        return made if isinstance(made, str) else made.kind

    def _derived(
        self, name: str, of: Expression | str, columns: Mapping[str, Column]
    ) -> Column | str:
        """Return the column that an expression gives, or what is wrong with it."""
        expression = as_expression(of)
        for used in expression.columns():
            if used not in columns:
                return self._unknown(used, columns)
        if (wrong := misuse(expression, columns)) is not None:
            return wrong
        if not columns_of(expression):
            return f"{expression} uses no column, so it is the same for every event"
        if _compares_with_none(expression):
            return f"{expression} compares with None, which is never true; write .is_null()"
        empty = {c.name: pa.array([], c.arrow_type) for c in columns.values()}
        try:
            arrow_type = expression.evaluate(empty).type
        except (ValueError, TypeError, OverflowError, pa.ArrowNotImplementedError) as error:
            return f"{expression} does not go together: {str(error).splitlines()[0]}"
        kind = kind_of(arrow_type)
        if kind is None:
            return f"{expression} gives {arrow_type}, which no feature can hold"
        return Column(name, kind, nullable=True, path=(), size=vector_size(arrow_type))

    def _unknown(self, name: str, columns: Mapping[str, Column]) -> str:
        if (why := why_no_vector(self.contract, name)) is not None:
            return f"column {name!r} of stream {self.name!r} {why}"
        return (
            f"column {name!r} is not in stream {self.name!r} {has(list(columns))}"
            f"{hint(name, columns)}"
        )

    def _types(self) -> dict[str, bool]:
        """Say what must be what, and whether it is; nothing else is looked at before."""
        is_model = isinstance(self.contract, type) and issubclass(self.contract, BaseModel)
        return {
            NAME_RULE: is_name(self.name),
            f"contract must be a pydantic model, got {self.contract!r}": is_model,
            f"event_time must name a column, got {self.event_time!r}": (
                isinstance(self.event_time, str)
            ),
            f"transforms must be a list of functions, got {self.transforms!r}": (
                is_list(self.transforms, Callable)
            ),
            f"enrich must be a list, as in [merchants.on('merchant_id')], got {self.enrich!r}": (
                is_list(self.enrich, Enrichment)
            ),
            f"derive must be a dict of expressions by name, got {self.derive!r}": (
                isinstance(self.derive, Mapping)
                and is_list(list(self.derive), str)
                and is_list(list(self.derive.values()), Expression | str)
            ),
            f"where must be an expression, got {self.where!r}": (
                isinstance(self.where, Expression | str | None)
            ),
        }

    def _problems(self) -> list[str]:
        problems = self._column_problems() or self._transform_problems()
        problems += [] if problems else self._enrich_problems()
        problems += [] if problems else self._derive_problems()
        problems += [] if problems else self._where_problems()
        problems += [] if problems else self._reversal_problems()
        durations = {} if self.dedupe is None else {"dedupe": self.dedupe}
        for name, duration in {**durations, "clock_skew": self.clock_skew}.items():
            try:
                duration_us(duration)
            except ValueError as error:
                problems.append(f"{name} {error}")
        if self.dedupe is not None and self.event_id is None:
            problems.append("dedupe needs an event_id: name the column that identifies the event")
        return [f"stream {self.name!r}: {problem}" for problem in problems]

    def _column_problems(self) -> list[str]:
        columns, problems = contract_columns(self.contract), []
        for role, name in (("event_time", self.event_time), ("event_id", self.event_id)):
            if name is not None and name not in columns:
                problems.append(
                    f"{role} {name!r} is not in contract {self.contract.__name__!r} "
                    f"{has(list(columns))}{hint(name, columns)}"
                )
        identity = columns.get(self.event_id) if self.event_id is not None else None
        if identity is not None and identity.kind is Kind.VECTOR:
            problems.append(f"event_id {self.event_id!r} is a vector, which names no event")
        time = columns.get(self.event_time)
        if time is not None and (time.kind is not Kind.DATETIME or time.nullable):
            problems.append(f"event_time {self.event_time!r} must be a datetime that is never None")
        return problems

    def _reversal_problems(self) -> list[str]:
        problems = []
        if self.reverses is not None:
            kind = self.kind_of(self.reverses)
            if not isinstance(kind, Kind):
                problems.append(f"reverses: {kind}")
            elif kind is not Kind.BOOL:
                problems.append(
                    f"reverses {str(self.reverses)!r} is {kind.value}, but must be true or false"
                )
        if self.reverses_time is not None:
            time = self.columns.get(self.reverses_time)
            if self.reverses is None:
                problems.append("reverses_time needs reverses: say which events undo another")
            if time is None or time.kind is not Kind.DATETIME:
                problems.append(
                    f"reverses_time {self.reverses_time!r} must be a column of datetimes"
                )
            problems += self._moment_problems()
        return problems

    def _moment_problems(self) -> list[str]:
        """Say what is not known yet when the newest events of another stream are looked up.

        A reversal finds what the event it undoes has found: those before that one.
        """
        looked_up = [e.name for e in self.enrich if e.table.upstream]
        needed = columns_of(self.reverses, self.reverses_time)
        late = sorted(needed & (set(self.columns) - set(self.shaped)))
        if not looked_up:
            return []
        return [
            f"reverses and reverses_time use {name!r}, which is not there yet when "
            f"{looked_up[0]!r} is looked up; use columns of the contract, or make it in transforms"
            for name in late
        ]

    def _transform_problems(self) -> list[str]:
        made = transformed(contract_columns(self.contract), self.transforms)
        if isinstance(made, str):
            return [made]
        roles = (("event_time", self.event_time), ("event_id", self.event_id))
        problems = [
            f"transforms leave no {role} {name!r} {has(list(made))}{hint(name, made)}"
            for role, name in roles
            if name is not None and name not in made
        ]
        time = made.get(self.event_time)
        if time is not None and time.kind is not Kind.DATETIME:
            problems.append(f"event_time {self.event_time!r} is {time.kind} after transforms")
        return problems

    def _enrich_problems(self) -> list[str]:
        problems, taken = [], set(self.shaped)
        for enrichment in self.enrich:
            where = f"enrich {enrichment.name!r}"
            kind = self._derived_kind(enrichment.key, self.shaped)
            table = enrichment.table
            if not isinstance(kind, Kind):
                problems.append(f"{where}: {kind}")
            elif kind is Kind.VECTOR:
                problems.append(f"{where}: {enrichment.key} is a vector, which is no key")
            elif kind is not table.key_kind:
                problems.append(
                    f"{where}: {enrichment.key} is {kind.value}, but the keys of {table.title} are "
                    f"{table.key_kind.value}; {table.key_cure}"
                )
            if self.name in table.upstream:
                circle = " from ".join([repr(self.name), *map(repr, _until(self.name, table))])
                problems.append(
                    f"{where}: it comes of this stream itself: {circle}; leave one of these "
                    "look-ups out, and let a service read both streams' views side by side"
                )
            problems += [
                f"{where}: there is a column {name!r} already; say on(..., name=...)"
                for name in enrichment.columns
                if name in taken
            ]
            taken |= set(enrichment.columns)
        return problems

    def _where_problems(self) -> list[str]:
        if self.where is None:
            return []
        kind = self.kind_of(self.where)
        if not isinstance(kind, Kind):
            return [f"where: {kind}"]
        wrong = f"where: {self.where} is {kind.value}, but must be true or false"
        return [] if kind is Kind.BOOL else [wrong]

    def _derive_problems(self) -> list[str]:
        problems, known = [], dict(self.looked_up)
        for name, expression in self.derive.items():
            made = self._derived(name, expression, known)
            if name in self.looked_up:
                whose = "the contract" if name in contract_columns(self.contract) else "the stream"
                problems.append(f"derived column {name!r} is in {whose} already; rename it")
            elif isinstance(made, Column):
                known[name] = made
            else:
                problems.append(f"derived column {name!r}: {made}")
        return problems


def _compares_with_none(expression: Expression) -> bool:
    inner = [each for each in expression.operands if isinstance(each, Expression)]
    missing = any(each is None for each in expression.operands)
    here = missing and expression.operator in COMPARISONS
    return here or any(map(_compares_with_none, inner))


def _until(stream: str, table: Table) -> list[str]:
    """Return the streams from which a table comes, up to some stream."""
    upstream = list(table.upstream)
    return upstream[: upstream.index(stream) + 1]
