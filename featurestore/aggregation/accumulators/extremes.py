"""The smallest and the largest value."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from featurestore.aggregation.accumulators.accumulator import OfOne, State, StateField
from featurestore.aggregation.arrays import Ints, Values
from featurestore.aggregation.groups import Groups


@dataclass(frozen=True, slots=True)
class Minimum(OfOne):
    """The smallest value. State: one value."""

    @property
    def fields(self) -> tuple[StateField, ...]:
        """One value."""
        return (StateField(f"{self.of.name}.min", self.of.wire),)

    def lift(self, at: Ints, columns: Sequence[Values]) -> State:  # noqa: ARG002 - when does not matter
        """Take the value itself."""
        (values,) = columns
        return {f"{self.of.name}.min": values}

    def merge(self, states: State, groups: Groups, merged: State) -> State:  # noqa: ARG002
        """Keep the smallest."""
        values = states[f"{self.of.name}.min"]
        assert isinstance(values, np.ndarray)
        return {f"{self.of.name}.min": groups.smallest(values)}


@dataclass(frozen=True, slots=True)
class Maximum(OfOne):
    """The largest value. State: one value."""

    @property
    def fields(self) -> tuple[StateField, ...]:
        """One value."""
        return (StateField(f"{self.of.name}.max", self.of.wire),)

    def lift(self, at: Ints, columns: Sequence[Values]) -> State:  # noqa: ARG002 - when does not matter
        """Take the value itself."""
        (values,) = columns
        return {f"{self.of.name}.max": values}

    def merge(self, states: State, groups: Groups, merged: State) -> State:  # noqa: ARG002
        """Keep the largest."""
        values = states[f"{self.of.name}.max"]
        assert isinstance(values, np.ndarray)
        return {f"{self.of.name}.max": groups.largest(values)}
