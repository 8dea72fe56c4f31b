"""Quantiles: the values themselves while they are few, then a KLL sketch.

The sketch is Apache DataSketches' `kll_doubles_sketch` with k = 200: the rank of a value it gives
is off by 1.33 % at most, 99 times in 100; it takes 1 to 3 KiB. It chooses at random what to keep:
two merges of the same parts may differ, within the bound.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from datasketches import kll_doubles_sketch

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
from featurestore.aggregation.arrays import Floats, Ints, Ragged, Values, missing
from featurestore.aggregation.groups import Groups

K = 200


@dataclass(frozen=True, slots=True)
class Ranks(OfOne):
    """All values, or a sketch of them. State: a word a value up to 256, 3 KiB beyond."""

    @property
    def name(self) -> str:
        """The state column of the values."""
        return f"{self.of.name}.values"

    @property
    def sketched(self) -> str:
        """The state column of the sketch."""
        return f"{self.of.name}.kll"

    @property
    def fields(self) -> tuple[StateField, ...]:
        """The values, and the sketch."""
        return StateField(self.name, Wire.FLOATS), StateField(self.sketched, Wire.BYTES)

    def lift(self, at: Ints, columns: Sequence[Values]) -> State:
        """Make a list of one, or none where the value is missing."""
        (values,) = columns
        present = ~missing(values)
        numbers = values[present].astype(np.float64)
        return {
            self.name: Ragged(present.astype(np.int64), numbers),
            self.sketched: no_sketches(len(at)),
        }

    def merge(self, states: State, groups: Groups, merged: State) -> State:  # noqa: ARG002
        """Join the lists; of more than 256 values make a sketch."""
        lists, sketches = ragged(states, self.name), sketches_of(states, self.sketched)
        lengths = groups.total(lists.lengths).astype(np.int64)
        joined = Ragged(lengths, lists.numbers.astype(np.float64))
        kept, made = sketched(joined, sketches, groups, _sketch)
        return {self.name: kept, self.sketched: made}

    def quantiles(self, state: State, qs: Sequence[float]) -> Floats:
        """Return for each state each quantile, NaN where there are no values: (states, qs)."""
        lists = ragged(state, self.name)
        numbers = lists.numbers[np.lexsort((lists.numbers, lists.owners()))]
        found = np.full((len(lists.lengths), len(qs)), np.nan)
        starts = np.cumsum(lists.lengths) - lists.lengths
        some = np.flatnonzero(lists.lengths)
        for place, q in enumerate(qs):
            rank = np.ceil(q * lists.lengths[some] - 1e-9).astype(np.int64) - 1
            found[some, place] = numbers[starts[some] + np.maximum(rank, 0)]
        for row, sketch in enumerate(sketches_of(state, self.sketched)):
            if sketch:
                whole = _read(sketch)
                found[row] = whole.get_quantiles(list(qs), True)  # noqa: FBT003 - inclusive
        return found


def _sketch(values: Floats, others: Sequence[bytes]) -> bytes:
    sketch = kll_doubles_sketch(K)
    if len(values):
        sketch.update(values)
    for other in others:
        sketch.merge(_read(other))
    made: bytes = sketch.serialize()
    return made


def _read(sketch: bytes) -> kll_doubles_sketch:
    return read_sketch(kll_doubles_sketch.deserialize, sketch)
