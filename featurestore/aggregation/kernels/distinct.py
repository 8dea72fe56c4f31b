"""distinct."""

from collections.abc import Sequence

import numpy as np

from featurestore.aggregation.accumulators import Distinct
from featurestore.aggregation.accumulators.accumulator import ragged
from featurestore.aggregation.accumulators.distinct import estimate
from featurestore.aggregation.arrays import NULL, Ints
from featurestore.aggregation.computed import Cells, Computed, Result
from featurestore.aggregation.kernels.kernel import Kernel


def _distinct(of: Computed, cells: Cells, _: Sequence[Result]) -> Ints:
    sets = ragged(cells.state, f"{of.inputs[0].name}.hashes")
    return np.where(sets.lengths == 0, NULL, estimate(sets))


KERNELS = {"distinct": Kernel(lambda of: [Distinct(of.inputs[0])], _distinct)}
