"""The state of an aggregation that a user brings."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from featurestore.aggregation.accumulators.accumulator import Input, State, StateField, Wire, plain
from featurestore.aggregation.arrays import NULL, Ints, Values, missing
from featurestore.aggregation.groups import Groups
from featurestore.definitions.aggregations.own import OwnAggregation
from featurestore.definitions.foreign import Foreign
from featurestore.errors import OwnFailed

_BEYOND = 2.0**63  # no int from here on


@dataclass(frozen=True, slots=True)
class Own:
    """The user's numbers, and how many events they are of. State: a word each.

    Attributes:
        inputs: What it aggregates.
        name: What tells it from others.
        by: The user's aggregation.
    """

    inputs: tuple[Input, ...]
    name: str
    by: OwnAggregation = field(compare=False)

    @property
    def counted(self) -> str:
        """The state column that says how many events there were."""
        return f"{self.name}.n"

    @property
    def fields(self) -> tuple[StateField, ...]:
        """The count, then the user's numbers."""
        numbers = (
            StateField(self._column(name), Wire.INT if isinstance(zero, int) else Wire.FLOAT)
            for name, zero in self.by.empty.items()
        )
        return StateField(self.counted, Wire.INT), *numbers

    def lift(self, at: Ints, columns: Sequence[Values]) -> State:
        """Insert the events that have all values; the others are empty."""
        present = ~np.logical_or.reduce([missing(column) for column in columns])
        chosen = [column[present] for column in columns]
        inserted = self._asked("insert", lambda: self.by.insert(at[present], *chosen))
        state: State = {self.counted: present.astype(np.int64)}
        for name, zero in self.by.empty.items():
            whole: Any = np.full(len(at), zero, _kind(zero))
            whole[present] = self._numbers("insert", inserted, name, len(chosen[0]))
            state[self._column(name)] = whole
        return state

    def merge(self, states: State, groups: Groups, merged: State) -> State:  # noqa: ARG002
        """Let the user merge."""
        of_user = {name: plain(states, self._column(name)) for name in self.by.empty}
        done = self._asked("merge", lambda: self.by.merge(of_user, groups))
        state: State = {self.counted: groups.total(plain(states, self.counted))}
        for name in self.by.empty:
            state[self._column(name)] = self._numbers("merge", done, name, len(groups))
        return state

    def result(self, state: Mapping[str, Values], kind: npt.DTypeLike) -> Values:
        """Return what the user makes of states, missing where it is no number of the kind.

        Raises:
            OwnFailed: It raised, or is not one value for each state.
        """
        of_user = {name: state[self._column(name)] for name in self.by.empty}
        given = self._asked("result", lambda: self.by.result(of_user))
        return self._typed("result", given, len(state[self.counted]), kind)

    def _column(self, name: str) -> str:
        return f"{self.name}.{name} of user"

    def _asked(self, role: str, ask: Callable[[], Any]) -> Any:
        """Return what the user's code gives."""
        with Foreign() as code:
            return ask()
        raise OwnFailed(str(self.by), f"{role} raised {code.said}") from code.failure

    def _numbers(self, role: str, given: Any, name: str, count: int) -> Values:
        numbers = self._asked(role, lambda: given[name])
        return self._typed(f"{role} of {name!r}", numbers, count, _kind(self.by.empty[name]))

    def _typed(self, what: str, given: Any, count: int, kind: npt.DTypeLike) -> Values:
        """Return numbers of the user as an array; those that an int cannot be are missing."""
        numbers: Any = self._asked(what, lambda: np.asarray(given))
        if not numbers.ndim and not what.startswith("merge"):
            numbers = np.full(count, numbers)  # one for all
        if numbers.shape != (count,):
            problem = f"{what} must be {count} numbers, got shape {numbers.shape}"
            raise OwnFailed(str(self.by), problem)
        if numbers.dtype.kind not in "bui":
            numbers = self._asked(what, lambda: numbers.astype(np.float64))
            if kind is np.int64:
                numbers = np.where(np.abs(numbers) < _BEYOND, numbers, NULL)
        typed: Values = numbers.astype(kind)
        return typed


def _kind(zero: float) -> type[np.int64] | type[np.float64]:
    return np.int64 if isinstance(zero, int) else np.float64
