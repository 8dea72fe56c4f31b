"""How many values there are: events whose value is not missing."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from featurestore.aggregation.accumulators.accumulator import OfOne, State, StateField, Wire
from featurestore.aggregation.arrays import Ints, Values, missing
from featurestore.aggregation.groups import Groups


@dataclass(frozen=True, slots=True)
class Counting(OfOne):
    """The number of values of an input that may be missing.

    State: one int. Cost: one addition per record.

    >>> from featurestore.aggregation.accumulators.accumulator import Input
    >>> coupons = Counting(Input("coupon", Wire.INT, nullable=True))
    >>> at, values = np.array([1, 2]), np.array([np.nan, 5.0])
    >>> coupons.merge(coupons.lift(at, [values]), Groups.of(np.array([0, 0])), {})
    {'coupon.n': array([1])}
    """

    @property
    def fields(self) -> tuple[StateField, ...]:
        """One count."""
        return (StateField(self.of.counted, Wire.INT),)

    def lift(self, at: Ints, columns: Sequence[Values]) -> State:  # noqa: ARG002 - an event counts whenever it was
        """Count 1 where there is a value."""
        (values,) = columns
        return {self.of.counted: (~missing(values)).astype(np.int64)}

    def merge(self, states: State, groups: Groups, merged: State) -> State:  # noqa: ARG002
        """Add up."""
        counts = states[self.of.counted]
        assert isinstance(counts, np.ndarray)
        return {self.of.counted: groups.total(counts)}
