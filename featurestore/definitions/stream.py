"""A stream: events of one shape, as their producer promises them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from functools import cached_property

import pyarrow as pa
from pydantic import BaseModel

from featurestore.definitions.contract import ARROW_TYPES, Column, Kind, contract_columns, kind_of
from featurestore.definitions.expression import Expression, as_expression
from featurestore.definitions.problems import report
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
        derive: Further columns, as expressions over those of the contract.
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
    derive: Mapping[str, Expression] = field(default_factory=dict, kw_only=True)
    reverses: str | Expression | None = field(default=None, kw_only=True)
    reverses_time: str | None = field(default=None, kw_only=True)
    clock_skew: str | timedelta = field(default="1m", kw_only=True)

    def __post_init__(self) -> None:
        report(self._problems())

    @cached_property
    def columns(self) -> dict[str, Column]:
        """Every column features can use: the contract's, then the derived ones."""
        columns = dict(contract_columns(self.contract))
        for name, expression in self.derive.items():
            kind = self._derived_kind(expression, columns)
            if isinstance(kind, Kind):
                columns[name] = Column(name, kind, nullable=True, path=())
        return columns

    @property
    def clock_skew_us(self) -> int:
        """How far ahead of the clock an event may be, in microseconds."""
        return duration_us(self.clock_skew)

    def kind_of(self, expression: Expression) -> Kind | str:
        """Return what an expression over this stream's columns holds, or what is wrong with it."""
        return self._derived_kind(expression, self.columns)

    def _derived_kind(self, expression: Expression, columns: Mapping[str, Column]) -> Kind | str:
        for name in expression.columns():
            if name not in columns:
                return (
                    f"column {name!r} is not in stream {self.name!r} {has(list(columns))}"
                    f"{hint(name, columns)}"
                )
        empty = {c.name: pa.array([], ARROW_TYPES[c.kind]) for c in columns.values()}
        try:
            arrow_type = expression.evaluate(empty).type
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError, pa.ArrowTypeError) as error:
            return f"{expression} does not go together: {str(error).splitlines()[0]}"
        return kind_of(arrow_type) or f"{expression} gives {arrow_type}, which no feature can hold"

    def _problems(self) -> list[str]:
        problems = [*self._column_problems(), *self._derive_problems()]
        problems += [] if problems else self._reversal_problems()
        for name, duration in (("dedupe", self.dedupe), ("clock_skew", self.clock_skew)):
            try:
                duration_us(duration) if duration is not None else None
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
        time = columns.get(self.event_time)
        if time is not None and (time.kind is not Kind.DATETIME or time.nullable):
            problems.append(f"event_time {self.event_time!r} must be a datetime that is never None")
        return problems

    def _reversal_problems(self) -> list[str]:
        problems = []
        if self.reverses is not None:
            kind = self.kind_of(as_expression(self.reverses))
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
        return problems

    def _derive_problems(self) -> list[str]:
        contract, problems = contract_columns(self.contract), []
        known = dict(contract)
        for name, expression in self.derive.items():
            kind = self._derived_kind(expression, known)
            if name in contract:
                problems.append(f"derived column {name!r} is in the contract already; rename it")
            elif isinstance(kind, Kind):
                known[name] = Column(name, kind, nullable=True, path=())
            else:
                problems.append(f"derived column {name!r}: {kind}")
        return problems
