"""total, mean."""

from collections.abc import Sequence

import numpy as np

from featurestore.aggregation.accumulators import Accumulator, Summing
from featurestore.aggregation.arrays import NULL, Floats, Values
from featurestore.aggregation.computed import Cells, Computed, Result, divided, finite
from featurestore.aggregation.kernels.kernel import Kernel, counted


def _sums(of: Computed) -> list[Accumulator]:
    return [*counted(of.input), *(Summing(column) for column in of.inputs)]


def _total(of: Computed, cells: Cells, _: Sequence[Result]) -> Values:
    counts, sums = cells.counts(of.input), cells.column(f"{of.inputs[0].name}.sum")
    if sums.dtype == np.float64:
        return finite(np.where(counts == 0, np.nan, sums))
    return np.where(counts == 0, NULL, sums)


def _mean(of: Computed, cells: Cells, _: Sequence[Result]) -> Floats:
    return divided(cells.column(f"{of.inputs[0].name}.sum"), cells.counts(of.input))


KERNELS = {"total": Kernel(_sums, _total), "mean": Kernel(_sums, _mean)}
