"""The state of an aggregation that a user brings."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from featurestore.aggregation.accumulators.accumulator import Input, State, StateField, Wire, plain
from featurestore.aggregation.arrays import Ints, Values, missing
from featurestore.aggregation.groups import Groups
from featurestore.definitions.aggregations.own import OwnAggregation


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
        inserted = self.by.insert(at[present], *(column[present] for column in columns))
        state: State = {self.counted: present.astype(np.int64)}
        for name, zero in self.by.empty.items():
            whole = np.full(len(at), zero)
            whole[present] = inserted[name]
            state[self._column(name)] = _typed(whole, zero)
        return state

    def merge(self, states: State, groups: Groups, merged: State) -> State:  # noqa: ARG002
        """Let the user merge."""
        done = self.by.merge(self.of_user(states), groups)
        state: State = {self.counted: groups.total(plain(states, self.counted))}
        for name, zero in self.by.empty.items():
            state[self._column(name)] = _typed(np.asarray(done[name]), zero)
        return state

    def of_user(self, state: State) -> dict[str, Values]:
        """Return the state under the user's names."""
        return {name: plain(state, self._column(name)) for name in self.by.empty}

    def _column(self, name: str) -> str:
        return f"{self.name}.{name} of user"


def _typed(numbers: Any, zero: float) -> Values:
    kind = np.int64 if isinstance(zero, int) else np.float64
    typed: Values = numbers.astype(kind)
    return typed
