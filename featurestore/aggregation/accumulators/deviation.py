"""The squared deviation from the mean, for standard deviations.

Never a sum of squares, which loses all digits when the mean is large. States merge by the formula
of Chan, Golub and LeVeque (1979) for many parts at once, with the correction of their two-pass
algorithm (1983): a part's deviation is that within it, plus that of its mean from the whole's.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from featurestore.aggregation.accumulators.accumulator import (
    Input,
    OfOne,
    State,
    StateField,
    Wire,
    plain,
)
from featurestore.aggregation.arrays import Floats, Ints, Values, as_floats
from featurestore.aggregation.groups import Groups


@dataclass(frozen=True, slots=True)
class Deviation(OfOne):
    """The sum of squared deviations from the mean; needs the count and the sum beside it.

    State: one float.
    """

    @property
    def fields(self) -> tuple[StateField, ...]:
        """One sum of squared deviations."""
        return (StateField(f"{self.of.name}.m2", Wire.FLOAT),)

    def lift(self, at: Ints, columns: Sequence[Values]) -> State:  # noqa: ARG002 - an event alone
        """Start at 0."""
        return {f"{self.of.name}.m2": np.zeros(len(at))}

    def merge(self, states: State, groups: Groups, merged: State) -> State:
        """Add the deviation within the records to that between their means."""
        name = f"{self.of.name}.m2"
        counts, means = counts_and_means(states, self.of)
        _, mean = counts_and_means(merged, self.of)
        apart = np.where(counts == 0, 0.0, means - mean[groups.ids])
        spread = groups.total(plain(states, name)) + groups.total(counts * apart * apart)
        drift = groups.total(counts * apart)
        total = np.maximum(groups.total(counts), 1)
        deviation = np.maximum(spread - drift * drift / total, 0.0)
        # Infinite once out of the range of floats, never NaN, which would count as 0 ever after.
        return {name: np.where(np.isfinite(mean) & np.isfinite(deviation), deviation, np.inf)}


def counts_and_means(states: State, of: Input) -> tuple[Floats, Floats]:
    """Return how many values each state has, and their mean; infinite where the sum is lost."""
    counts, sums = plain(states, of.counted), plain(states, f"{of.name}.sum")
    return counts.astype(np.float64), as_floats(sums) / np.maximum(counts, 1)
