"""How many different values there are: exact while few, then a CPC sketch.

A state is the set of the values' 64-bit hashes, 256 at most: the exact set (two values share a hash
once in 2**64 pairs). Beyond, it is Apache DataSketches' `cpc_sketch` with lg k = 12 (Lang 2017,
"Back to the future: an even more nearly optimal cardinality estimation algorithm"). Sketches are
always those of a union, so the estimate depends on the values alone, in whatever order and grouping
they came; its standard error is ln 2 / sqrt(4096) = 1.1 %. `benchmarks/distinct_sketches.py` has
what was rejected.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from datasketches import cpc_sketch, cpc_union

from featurestore.aggregation.accumulators.accumulator import (
    OfOne,
    State,
    StateField,
    Wire,
    ragged,
)
from featurestore.aggregation.accumulators.sketches import (
    no_sketches,
    read_sketch,
    sketched,
    sketches_of,
)
from featurestore.aggregation.arrays import Ints, Ragged, Values, missing
from featurestore.aggregation.groups import Groups

LG_K = 12

Hashes = npt.NDArray[np.uint64]


@dataclass(frozen=True, slots=True)
class Distinct(OfOne):
    """The set of different values. State: a word a value up to 256, 2.5 KiB beyond."""

    @property
    def name(self) -> str:
        """The state column of the set."""
        return f"{self.of.name}.hashes"

    @property
    def sketched(self) -> str:
        """The state column of the sketch."""
        return f"{self.of.name}.cpc"

    @property
    def fields(self) -> tuple[StateField, ...]:
        """The set of hashes, and the sketch."""
        return StateField(self.name, Wire.RAGGED), StateField(self.sketched, Wire.BYTES)

    def lift(self, at: Ints, columns: Sequence[Values]) -> State:
        """Make a set of one, or none where the value is missing."""
        (values,) = columns
        present = ~missing(values)
        return {
            self.name: Ragged(present.astype(np.int64), _hashes(values[present])),
            self.sketched: no_sketches(len(at)),
        }

    def merge(self, states: State, groups: Groups, merged: State) -> State:  # noqa: ARG002
        """Unite the sets; of more than 256 hashes make a sketch."""
        sets, sketches = (
            _united(ragged(states, self.name), groups),
            sketches_of(states, self.sketched),
        )
        kept, joined = sketched(sets, sketches, groups, _union)
        return {self.name: kept, self.sketched: joined}

    def estimate(self, state: State) -> Ints:
        """Return how many different values each state stands for.

        >>> from featurestore.aggregation.accumulators.accumulator import Input
        >>> shops = Distinct(Input("shop", Wire.INT, nullable=False))
        >>> lifted = shops.lift(np.arange(3), [np.array([7, 8, 7])])
        >>> shops.estimate(shops.merge(lifted, Groups.of(np.array([0, 0, 0])), {}))
        array([2])
        """
        counts = ragged(state, self.name).lengths.astype(np.int64)
        for record, sketch in enumerate(sketches_of(state, self.sketched)):
            if sketch:
                whole = read_sketch(cpc_sketch.deserialize, sketch)
                counts[record] = round(whole.get_estimate())
        return counts


def _united(sets: Ragged, groups: Groups) -> Ragged:
    owners = groups.ids[sets.owners()]
    order = np.lexsort((sets.numbers, owners))
    owners, numbers = owners[order], sets.numbers[order]
    new = np.ones(len(numbers), dtype=bool)
    new[1:] = (owners[1:] != owners[:-1]) | (numbers[1:] != numbers[:-1])
    return Ragged(np.bincount(owners[new], minlength=len(groups)), numbers[new])


def _union(hashes: Hashes, sketches: Sequence[bytes]) -> bytes:
    own, union = cpc_sketch(LG_K), cpc_union(LG_K)
    for number in hashes.view(np.int64).tolist():
        own.update(number)
    union.update(own)
    for sketch in sketches:
        union.update(read_sketch(cpc_sketch.deserialize, sketch))
    made: bytes = union.get_result().serialize()
    return made


def _hashes(values: Values) -> Hashes:
    """Mix 64-bit words (splitmix64, Steele et al. 2014); floats by their bits, -0.0 as 0.0."""
    words = (values + 0.0 if values.dtype == np.float64 else values).view(np.uint64)
    mixed = words + np.uint64(0x9E3779B97F4A7C15)
    mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return mixed ^ (mixed >> np.uint64(31))
