"""total, mean."""

from collections.abc import Sequence

import numpy as np

from featurestore.aggregation.accumulators import Accumulator, Adding, Summing, Wire
from featurestore.aggregation.accumulators.accumulator import Input
from featurestore.aggregation.arrays import NULL, Floats, Ragged, Values, as_floats
from featurestore.aggregation.computed import Cells, Computed, Result, divided, finite, listed
from featurestore.aggregation.kernels.kernel import Kernel, counted
from featurestore.definitions.contract import Kind


def _sums(of: Computed) -> list[Accumulator]:
    return [*counted(of.input), *(_sum(column) for column in of.inputs)]


def _sum(of: Input) -> Accumulator:
    return Adding(of) if of.wire is Wire.VECTOR else Summing(of)


def _total(of: Computed, cells: Cells, _: Sequence[Result]) -> Values | Ragged:
    counts, sums = cells.counts(of.input), cells.column(f"{of.inputs[0].name}.sum")
    if of.kind is Kind.VECTOR:
        return listed(np.where((counts == 0)[:, None], np.nan, sums))
    if sums.dtype == np.float64:
        return finite(np.where(counts == 0, np.nan, sums))
    return np.where(counts == 0, NULL, sums)


def _mean(of: Computed, cells: Cells, _: Sequence[Result]) -> Floats | Ragged:
    counts, sums = cells.counts(of.input), cells.column(f"{of.inputs[0].name}.sum")
    if of.kind is Kind.VECTOR:
        return listed(divided(sums, counts[:, None]))
    return divided(as_floats(sums), counts)


KERNELS = {"total": Kernel(_sums, _total), "mean": Kernel(_sums, _mean)}
