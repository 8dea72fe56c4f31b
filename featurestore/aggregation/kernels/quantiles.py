"""quantile, quantiles."""

from collections.abc import Sequence

import numpy as np

from featurestore.aggregation.accumulators import Ranks
from featurestore.aggregation.arrays import Floats, Ragged
from featurestore.aggregation.computed import Cells, Computed, Result
from featurestore.aggregation.kernels.kernel import Kernel


def _found(of: Computed, cells: Cells) -> Floats:
    qs = of.measure["q"]
    assert isinstance(qs, tuple)
    return Ranks(of.inputs[0]).quantiles(cells.state, qs)


def _quantile(of: Computed, cells: Cells, _: Sequence[Result]) -> Floats:
    return _found(of, cells)[:, 0]


def _quantiles(of: Computed, cells: Cells, _: Sequence[Result]) -> Ragged:
    found = _found(of, cells)
    some = ~np.isnan(found[:, 0])
    return Ragged(np.where(some, found.shape[1], 0), found[some].ravel())


KERNELS = {
    "quantile": Kernel(lambda of: [Ranks(of.inputs[0])], _quantile),
    "quantiles": Kernel(lambda of: [Ranks(of.inputs[0])], _quantiles),
}
