"""first_n, last_n, top_k, bottom_k, distinct_values."""

from collections.abc import Callable, Sequence

import numpy as np

from featurestore.aggregation.accumulators import Extreme, Timed
from featurestore.aggregation.accumulators.accumulator import ragged
from featurestore.aggregation.arrays import Ragged
from featurestore.aggregation.computed import Cells, Computed, Result
from featurestore.aggregation.kernels.kernel import Kernel

Kept = Callable[[Computed], Timed | Extreme]


def _timed(*, newest: bool, distinct: bool) -> Kept:
    return lambda of: Timed(of.inputs[0], _n(of), newest, distinct)


def _extreme(*, largest: bool) -> Kept:
    return lambda of: Extreme(of.inputs[0], _n(of), largest)


def _n(of: Computed) -> int:
    n = of.measure["n"]
    assert isinstance(n, int)
    return n


def _forwards(values: Ragged) -> Ragged:
    return values


def _backwards(values: Ragged) -> Ragged:
    order = np.lexsort((-np.arange(len(values.numbers)), values.owners()))
    return Ragged(values.lengths, values.numbers[order])


def _sorted(values: Ragged) -> Ragged:
    return Ragged(values.lengths, values.numbers[np.lexsort((values.numbers, values.owners()))])


def _listing(kept: Kept, order: Callable[[Ragged], Ragged]) -> Kernel:
    def result(of: Computed, cells: Cells, _: Sequence[Result]) -> Ragged:
        return order(ragged(cells.state, kept(of).name))

    return Kernel(lambda of: [kept(of)], result)


KERNELS = {
    "first_n": _listing(_timed(newest=False, distinct=False), _forwards),
    "last_n": _listing(_timed(newest=True, distinct=False), _backwards),
    "first_n_distinct": _listing(_timed(newest=False, distinct=True), _forwards),
    "last_n_distinct": _listing(_timed(newest=True, distinct=True), _backwards),
    "distinct_values": _listing(_timed(newest=True, distinct=True), _sorted),
    "top_k": _listing(_extreme(largest=True), _backwards),
    "bottom_k": _listing(_extreme(largest=False), _forwards),
}
