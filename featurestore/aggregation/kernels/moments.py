"""std, variance, skewness, kurtosis."""

from collections.abc import Sequence

import numpy as np

from featurestore.aggregation.accumulators import (
    Accumulator,
    Deviation,
    FourthMoment,
    Summing,
    ThirdMoment,
)
from featurestore.aggregation.arrays import Floats
from featurestore.aggregation.computed import Cells, Computed, Result, divided, finite
from featurestore.aggregation.kernels.kernel import Kernel, counted


def _second(of: Computed) -> list[Accumulator]:
    (column,) = of.inputs
    return [*counted(column), Summing(column), Deviation(column)]


def _third(of: Computed) -> list[Accumulator]:
    return [*_second(of), ThirdMoment(of.inputs[0])]


def _fourth(of: Computed) -> list[Accumulator]:
    return [*_third(of), FourthMoment(of.inputs[0])]


def _variance(of: Computed, cells: Cells, _: Sequence[Result]) -> Floats:
    return divided(cells.column(f"{of.inputs[0].name}.m2"), cells.counts(of.input))


def _sample_variance(of: Computed, cells: Cells, _: Sequence[Result]) -> Floats:
    return divided(cells.column(f"{of.inputs[0].name}.m2"), cells.counts(of.input) - 1)


def _std(of: Computed, cells: Cells, parts: Sequence[Result]) -> Floats:
    return np.sqrt(_variance(of, cells, parts))


def _sample_std(of: Computed, cells: Cells, parts: Sequence[Result]) -> Floats:
    return np.sqrt(_sample_variance(of, cells, parts))


def _skewness(of: Computed, cells: Cells, _: Sequence[Result]) -> Floats:
    name, counts = of.inputs[0].name, cells.counts(of.input)
    m2, m3 = cells.column(f"{name}.m2"), cells.column(f"{name}.m3")
    return divided(finite(np.sqrt(counts.astype(np.float64)) * m3), m2**1.5)


def _kurtosis(of: Computed, cells: Cells, _: Sequence[Result]) -> Floats:
    name, counts = of.inputs[0].name, cells.counts(of.input)
    m2, m4 = cells.column(f"{name}.m2"), cells.column(f"{name}.m4")
    return divided(finite(counts * m4), m2 * m2) - 3


KERNELS = {
    "std": Kernel(_second, _std),
    "variance": Kernel(_second, _variance),
    "sample_std": Kernel(_second, _sample_std),
    "sample_variance": Kernel(_second, _sample_variance),
    "skewness": Kernel(_third, _skewness),
    "kurtosis": Kernel(_fourth, _kurtosis),
}
