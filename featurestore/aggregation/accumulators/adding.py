"""The sum of vectors."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from featurestore.aggregation.accumulators.accumulator import (
    OfOne,
    State,
    StateField,
    Wire,
    plain,
)
from featurestore.aggregation.arrays import Ints, Values, missing
from featurestore.aggregation.groups import Groups


@dataclass(frozen=True, slots=True)
class Adding(OfOne):
    """The sum of an input's vectors, each component as `Summing` adds up numbers.

    A component out of the range of floats stays so, infinite or NaN. State: a word per component.

    >>> from featurestore.aggregation.accumulators.accumulator import Input
    >>> tastes = Adding(Input("taste", Wire.VECTOR, nullable=False, size=2))
    >>> lifted = tastes.lift(np.array([1, 2]), [np.array([[2.5, 1.0], [4.0, -1.0]])])
    >>> tastes.merge(lifted, Groups.of(np.array([0, 0])), {})
    {'taste.sum': array([[6.5, 0. ]])}
    """

    @property
    def fields(self) -> tuple[StateField, ...]:
        """One vector."""
        return (StateField(f"{self.of.name}.sum", Wire.VECTOR, self.of.size),)

    def lift(self, at: Ints, columns: Sequence[Values]) -> State:  # noqa: ARG002 - when does not matter
        """Take the vector itself, zeros where it is missing."""
        (vectors,) = columns
        absent = missing(vectors)
        if absent.any():
            vectors = np.where(absent[:, None], 0, vectors)
        return {f"{self.of.name}.sum": vectors}

    def merge(self, states: State, groups: Groups, merged: State) -> State:  # noqa: ARG002
        """Add up."""
        sums = plain(states, f"{self.of.name}.sum").astype(np.float64, copy=False)
        return {f"{self.of.name}.sum": groups.totals(sums)}
