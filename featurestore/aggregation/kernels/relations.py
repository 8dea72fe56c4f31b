"""ratio, covariance, correlation."""

from collections.abc import Sequence

import numpy as np

from featurestore.aggregation.accumulators import Accumulator, CoMoment, Deviation, Summing
from featurestore.aggregation.arrays import Floats, missing
from featurestore.aggregation.computed import Cells, Computed, Result, divided, finite
from featurestore.aggregation.kernels.kernel import Kernel, counted


def _ratio(of: Computed, cells: Cells, parts: Sequence[Result]) -> Floats:  # noqa: ARG001
    over, under = (_as_floats(part) for part in parts)
    nothing = (under == 0) | np.isnan(under)
    return finite(np.where(nothing, np.nan, over / np.where(nothing, 1, under)))


def _as_floats(values: Result) -> Floats:
    assert isinstance(values, np.ndarray)
    return np.where(missing(values), np.nan, values)


def _together(of: Computed) -> list[Accumulator]:
    x, y = of.inputs
    counts = [*counted(x), *counted(y)]
    return [*counts, Summing(x), Summing(y), CoMoment(x, y)]


def _with_deviations(of: Computed) -> list[Accumulator]:
    return [*_together(of), *(Deviation(column) for column in of.inputs)]


def _covariance(of: Computed, cells: Cells, _: Sequence[Result]) -> Floats:
    x, y = of.inputs
    return divided(cells.column(CoMoment(x, y).name), cells.counts(x))


def _correlation(of: Computed, cells: Cells, _: Sequence[Result]) -> Floats:
    x, y = of.inputs
    spread = np.sqrt(cells.column(f"{x.name}.m2")) * np.sqrt(cells.column(f"{y.name}.m2"))
    return np.clip(divided(cells.column(CoMoment(x, y).name), spread), -1, 1)


KERNELS = {
    "ratio": Kernel(lambda of: [], _ratio),  # noqa: ARG005 - its parts keep what it needs
    "covariance": Kernel(_together, _covariance),
    "correlation": Kernel(_with_deviations, _correlation),
}
