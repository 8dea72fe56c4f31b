"""How many different values there are: exact while few, then a k-minimum-values estimate.

A state is the set of the values' 64-bit hashes, the 1,024 smallest of them at most. Below that it
is the exact set (two values share a hash once in 2**64 pairs); above, the largest hash kept says
how dense hashes lie, and so how many values there were (Bar-Yossef et al. 2002; the unbiased
estimator of Beyer et al. 2007), with a standard error of 1/sqrt(1022) = 3.1 %.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from featurestore.aggregation.accumulators.accumulator import OfOne, State, StateField, Wire
from featurestore.aggregation.arrays import Floats, Ints, Ragged, Values, missing
from featurestore.aggregation.groups import Groups

LARGEST_SET = 1024


@dataclass(frozen=True, slots=True)
class Distinct(OfOne):
    """The set of different values. State: 8 bytes a value, 8 KiB at most."""

    @property
    def fields(self) -> tuple[StateField, ...]:
        """One set of hashes."""
        return (StateField(f"{self.of.name}.hashes", Wire.RAGGED),)

    def lift(self, at: Ints, columns: Sequence[Values]) -> State:  # noqa: ARG002 - when does not matter
        """Make a set of one, or none where the value is missing."""
        (values,) = columns
        present = ~missing(values)
        return {
            f"{self.of.name}.hashes": Ragged(present.astype(np.int64), _hashes(values[present]))
        }

    def merge(self, states: State, groups: Groups, merged: State) -> State:  # noqa: ARG002
        """Unite the sets and keep the smallest hashes."""
        sets = states[f"{self.of.name}.hashes"]
        assert isinstance(sets, Ragged)
        owners = groups.ids[sets.owners()]
        order = np.lexsort((sets.numbers, owners))
        owners, numbers = owners[order], sets.numbers[order]
        new = np.ones(len(numbers), dtype=bool)
        new[1:] = (owners[1:] != owners[:-1]) | (numbers[1:] != numbers[:-1])
        owners, numbers = owners[new], numbers[new]
        lengths = np.bincount(owners, minlength=len(groups))
        rank = np.arange(len(numbers)) - (np.cumsum(lengths) - lengths)[owners]
        kept = np.minimum(lengths, LARGEST_SET)
        return {f"{self.of.name}.hashes": Ragged(kept, numbers[rank < LARGEST_SET])}


def estimate(sets: Ragged) -> Ints:
    """Return how many different values each set stands for.

    >>> estimate(Ragged(np.array([2, 0]), np.array([1, 2], np.uint64)))
    array([2, 0])
    """
    counts = sets.lengths.astype(np.int64)
    ends = np.cumsum(counts)
    full = np.flatnonzero(counts == LARGEST_SET)
    density: Floats = sets.numbers[ends[full] - 1].astype(np.float64) / 2.0**64
    counts[full] = np.rint((LARGEST_SET - 1) / density).astype(np.int64)
    return counts


def _hashes(values: Values) -> npt.NDArray[np.uint64]:
    """Mix 64-bit words (splitmix64, Steele et al. 2014); floats by their bits, -0.0 as 0.0."""
    words = (values + 0.0 if values.dtype == np.float64 else values).view(np.uint64)
    mixed = words + np.uint64(0x9E3779B97F4A7C15)
    mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return mixed ^ (mixed >> np.uint64(31))
