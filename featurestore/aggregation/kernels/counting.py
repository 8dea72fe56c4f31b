"""count, rate."""

from collections.abc import Sequence

from featurestore.aggregation.arrays import Floats, Ints
from featurestore.aggregation.computed import Cells, Computed, Result
from featurestore.aggregation.kernels.kernel import Kernel, counted


def _count(of: Computed, cells: Cells, _: Sequence[Result]) -> Ints:
    return cells.counts(of.input)


def _rate(of: Computed, cells: Cells, _: Sequence[Result]) -> Floats:
    per_us = of.measure["per_us"]
    assert isinstance(per_us, int)
    return cells.counts(of.input) * (per_us / cells.width_us)


KERNELS = {
    "count": Kernel(lambda of: counted(of.input), _count),
    "rate": Kernel(lambda of: counted(of.input), _rate),
}
