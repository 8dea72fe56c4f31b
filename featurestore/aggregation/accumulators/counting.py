"""How many values there are: events whose value is not missing."""

from dataclasses import dataclass

import numpy as np

from featurestore.aggregation.accumulators.accumulator import Input, State, StateField, Wire
from featurestore.aggregation.arrays import Ints, Values, missing
from featurestore.aggregation.groups import Groups


@dataclass(frozen=True, slots=True)
class Counting:
    """The number of values of an input that may be missing.

    State: one int. Cost: one addition per record.

    >>> coupons = Counting(Input("coupon", Wire.INT, nullable=True))
    >>> at, values = np.array([1, 2]), np.array([np.nan, 5.0])
    >>> coupons.merge(coupons.lift(at, values), Groups.of(np.array([0, 0])), {})
    {'coupon.n': array([1])}
    """

    of: Input

    @property
    def fields(self) -> tuple[StateField, ...]:
        """One count."""
        return (StateField(self.of.counted, Wire.INT),)

    def lift(self, at: Ints, values: Values) -> State:  # noqa: ARG002 - an event counts whenever it was
        """Count 1 where there is a value."""
        return {self.of.counted: (~missing(values)).astype(np.int64)}

    def merge(self, states: State, groups: Groups, merged: State) -> State:  # noqa: ARG002
        """Add up."""
        counts = states[self.of.counted]
        assert isinstance(counts, np.ndarray)
        return {self.of.counted: groups.total(counts)}
