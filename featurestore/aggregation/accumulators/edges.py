"""The first and the last value by event time.

Of several values at one instant, first is the smallest and last the largest, so that the order
in which events arrive changes nothing.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from featurestore.aggregation.accumulators.accumulator import Input, OfOne, State, StateField, Wire
from featurestore.aggregation.arrays import NULL, Ints, Values, empty_like, missing
from featurestore.aggregation.groups import Groups


@dataclass(frozen=True, slots=True)
class First(OfOne):
    """The oldest value. State: one value, and its time where values may be missing."""

    @property
    def fields(self) -> tuple[StateField, ...]:
        """The value, and when it was unless the record's own first instant says so."""
        return _fields(self.of, "first")

    def lift(self, at: Ints, columns: Sequence[Values]) -> State:
        """Take the value itself."""
        (values,) = columns
        return _lift(self.of, "first", at, values)

    def merge(self, states: State, groups: Groups, merged: State) -> State:  # noqa: ARG002
        """Keep the oldest."""
        values, at = _values_and_times(states, self.of, "first")
        oldest = groups.smallest(at)
        chosen = np.where(at == oldest[groups.ids], values, empty_like(values, len(values)))
        return _state(self.of, "first", oldest, groups.smallest(chosen))


@dataclass(frozen=True, slots=True)
class Last(OfOne):
    """The newest value. State: one value, and its time where values may be missing."""

    @property
    def fields(self) -> tuple[StateField, ...]:
        """The value, and when it was unless the record's own last instant says so."""
        return _fields(self.of, "last")

    def lift(self, at: Ints, columns: Sequence[Values]) -> State:
        """Take the value itself."""
        (values,) = columns
        return _lift(self.of, "last", at, values)

    def merge(self, states: State, groups: Groups, merged: State) -> State:  # noqa: ARG002
        """Keep the newest.

        >>> status = Last(Input("status", Wire.INT, nullable=False))
        >>> states = {"last": np.array([5, 9, 9]), "status.last": np.array([1, 2, 3])}
        >>> status.merge(states, Groups.of(np.array([0, 0, 0])), {})
        {'status.last': array([3])}
        """
        values, at = _values_and_times(states, self.of, "last")
        newest = groups.largest(at)
        chosen = np.where(at == newest[groups.ids], values, empty_like(values, len(values)))
        return _state(self.of, "last", newest, groups.largest(chosen))


def _fields(of: Input, edge: str) -> tuple[StateField, ...]:
    value = StateField(f"{of.name}.{edge}", of.wire)
    return (value, StateField(f"{of.name}.{edge}_at", Wire.INT)) if of.nullable else (value,)


def _lift(of: Input, edge: str, at: Ints, values: Values) -> State:
    return _state(of, edge, np.where(missing(values), NULL, at), values)


def _state(of: Input, edge: str, at: Values, values: Values) -> State:
    state: State = {f"{of.name}.{edge}": values}
    if of.nullable:
        state[f"{of.name}.{edge}_at"] = at
    return state


def _values_and_times(states: State, of: Input, edge: str) -> tuple[Values, Values]:
    values = states[f"{of.name}.{edge}"]
    at = states[f"{of.name}.{edge}_at" if of.nullable else edge]
    assert isinstance(values, np.ndarray)
    assert isinstance(at, np.ndarray)
    return values, at
