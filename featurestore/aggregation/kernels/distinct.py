"""distinct."""

from collections.abc import Sequence

import numpy as np

from featurestore.aggregation.accumulators import Distinct
from featurestore.aggregation.arrays import NULL, Ints
from featurestore.aggregation.computed import Cells, Computed, Result
from featurestore.aggregation.kernels.kernel import Kernel


def _distinct(of: Computed, cells: Cells, _: Sequence[Result]) -> Ints:
    counts = Distinct(of.inputs[0]).estimate(cells.state)
    return np.where(counts == 0, NULL, counts)


KERNELS = {"distinct": Kernel(lambda of: [Distinct(of.inputs[0])], _distinct)}
