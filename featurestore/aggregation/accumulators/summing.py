"""The sum of values."""

from dataclasses import dataclass

import numpy as np

from featurestore.aggregation.accumulators.accumulator import Input, State, StateField
from featurestore.aggregation.arrays import Ints, Values, missing
from featurestore.aggregation.groups import Groups


@dataclass(frozen=True, slots=True)
class Summing:
    """The sum of an input, oldest record to newest by plain additions.

    Ints add up exactly while the sum fits into 64 bits. State: one number.

    >>> from featurestore.aggregation.accumulators import Wire
    >>> spent = Summing(Input("amount", Wire.FLOAT, nullable=False))
    >>> lifted = spent.lift(np.array([1, 2]), np.array([2.5, 4.0]))
    >>> spent.merge(lifted, Groups.of(np.array([0, 0])), {})
    {'amount.sum': array([6.5])}
    """

    of: Input

    @property
    def fields(self) -> tuple[StateField, ...]:
        """One sum."""
        return (StateField(f"{self.of.name}.sum", self.of.wire),)

    def lift(self, at: Ints, values: Values) -> State:  # noqa: ARG002 - when does not matter
        """Take the value itself, 0 where it is missing."""
        return {f"{self.of.name}.sum": np.where(missing(values), 0, values)}

    def merge(self, states: State, groups: Groups, merged: State) -> State:  # noqa: ARG002
        """Add up."""
        sums = states[f"{self.of.name}.sum"]
        assert isinstance(sums, np.ndarray)
        return {f"{self.of.name}.sum": groups.total(sums)}
