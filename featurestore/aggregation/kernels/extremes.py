"""minimum, maximum, min_by, max_by."""

from collections.abc import Sequence

from featurestore.aggregation.accumulators import Best, Maximum, Minimum
from featurestore.aggregation.arrays import Values
from featurestore.aggregation.computed import Cells, Computed, Result
from featurestore.aggregation.kernels.kernel import Kernel


def _minimum(of: Computed, cells: Cells, _: Sequence[Result]) -> Values:
    return cells.column(f"{of.inputs[0].name}.min")


def _maximum(of: Computed, cells: Cells, _: Sequence[Result]) -> Values:
    return cells.column(f"{of.inputs[0].name}.max")


def _best(of: Computed) -> Best:
    value, by = of.inputs
    return Best(value, by, largest=of.measure.aggregation == "max_by")


def _by(of: Computed, cells: Cells, _: Sequence[Result]) -> Values:
    return cells.column(_best(of).name)


KERNELS = {
    "minimum": Kernel(lambda of: [Minimum(of.inputs[0])], _minimum),
    "maximum": Kernel(lambda of: [Maximum(of.inputs[0])], _maximum),
    "min_by": Kernel(lambda of: [_best(of)], _by),
    "max_by": Kernel(lambda of: [_best(of)], _by),
}
