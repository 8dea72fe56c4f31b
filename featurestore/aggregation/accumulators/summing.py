"""The sum of values."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from featurestore.aggregation.accumulators.accumulator import OfOne, State, StateField
from featurestore.aggregation.arrays import NULL, Ints, Values, missing
from featurestore.aggregation.groups import Groups

_SAFE = 2.0**62  # what floats say is smaller fits into 64 bits
_HALF_BITS = 32
_HALF = 2**_HALF_BITS - 1


@dataclass(frozen=True, slots=True)
class Summing(OfOne):
    """The sum of an input, oldest record to newest by plain additions.

    Ints add up exactly while the sum fits into 64 bits; one that does not is missing, and so is
    what it is a part of. State: one number.

    >>> from featurestore.aggregation.accumulators.accumulator import Input, Wire
    >>> spent = Summing(Input("amount", Wire.FLOAT, nullable=False))
    >>> lifted = spent.lift(np.array([1, 2]), [np.array([2.5, 4.0])])
    >>> spent.merge(lifted, Groups.of(np.array([0, 0])), {})
    {'amount.sum': array([6.5])}
    """

    @property
    def fields(self) -> tuple[StateField, ...]:
        """One sum."""
        return (StateField(f"{self.of.name}.sum", self.of.wire),)

    def lift(self, at: Ints, columns: Sequence[Values]) -> State:  # noqa: ARG002 - when does not matter
        """Take the value itself, 0 where it is missing."""
        (values,) = columns
        return {f"{self.of.name}.sum": np.where(missing(values), 0, values)}

    def merge(self, states: State, groups: Groups, merged: State) -> State:  # noqa: ARG002
        """Add up."""
        sums = states[f"{self.of.name}.sum"]
        assert isinstance(sums, np.ndarray)
        total = groups.total(sums)
        if total.dtype == np.float64:  # infinite once out of range: NaN would count as 0 ever after
            total = np.where(np.isnan(total), np.inf, total)
        else:
            total = _within_64_bits(total, sums.astype(np.int64, copy=False), groups)
        return {f"{self.of.name}.sum": total}


def _within_64_bits(totals: Values, sums: Ints, groups: Groups) -> Values:
    """Return the totals of ints, missing where they wrapped around or one of the sums had."""
    if not len(sums) or max(-float(sums.min()), float(sums.max())) * len(sums) < _SAFE:
        return totals
    low = np.add.reduceat(sums & _HALF, groups.starts)
    high = np.add.reduceat(sums >> _HALF_BITS, groups.starts) + (low >> _HALF_BITS)
    beyond = (high < -(2 ** (_HALF_BITS - 1))) | (high >= 2 ** (_HALF_BITS - 1))
    lost = np.minimum.reduceat(sums, groups.starts) == NULL
    return np.where(beyond | lost, NULL, totals)
