"""most_frequent, counts_by, histogram."""

from collections.abc import Sequence

import numpy as np

from featurestore.aggregation.accumulators import Bins, Tally
from featurestore.aggregation.accumulators.accumulator import ragged
from featurestore.aggregation.accumulators.lists import outermost
from featurestore.aggregation.arrays import Ragged
from featurestore.aggregation.computed import Cells, Computed, Map, Result
from featurestore.aggregation.kernels.kernel import Kernel


def _tally(of: Computed) -> Tally:
    capacity = of.measure["capacity"]
    assert isinstance(capacity, int)
    return Tally(of.inputs[0], capacity)


def _frequent(of: Computed, cells: Cells, _: Sequence[Result]) -> Map:
    n, name = of.measure["n"], _tally(of).name
    assert isinstance(n, int)
    keys, counts = ragged(cells.state, name), ragged(cells.state, f"{name}.n")
    owners = keys.owners()
    falling = np.lexsort((keys.numbers, -counts.numbers.astype(np.int64), owners))
    kept = falling[outermost(owners[falling], n, last=False)]
    lengths = np.bincount(owners[kept], minlength=len(cells))
    return Map(Ragged(lengths, keys.numbers[kept]), Ragged(lengths, counts.numbers[kept]))


def _bins(of: Computed) -> Bins:
    edges = of.measure["bins"]
    assert isinstance(edges, tuple)
    return Bins(of.inputs[0], edges)


def _histogram(of: Computed, cells: Cells, _: Sequence[Result]) -> Ragged:
    names = _bins(of).names
    counts = np.stack([cells.column(name) for name in names], axis=1).astype(np.int64)
    some = counts.sum(axis=1) > 0
    return Ragged(np.where(some, len(names), 0), counts[some].ravel())


KERNELS = {
    "most_frequent": Kernel(lambda of: [_tally(of)], _frequent),
    "counts_by": Kernel(lambda of: [_tally(of)], _frequent),
    "histogram": Kernel(lambda of: [_bins(of)], _histogram),
}
