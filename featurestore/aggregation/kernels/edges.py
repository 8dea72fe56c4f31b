"""first, last, time_since_first, time_since_last."""

from collections.abc import Sequence

import numpy as np

from featurestore.aggregation.accumulators import Accumulator, First, Last
from featurestore.aggregation.arrays import Floats, Values, missing
from featurestore.aggregation.computed import Cells, Computed, Result
from featurestore.aggregation.kernels.kernel import Kernel

_SECOND = 1e6


def _value(of: Computed, cells: Cells, _: Sequence[Result]) -> Values:
    return cells.column(f"{of.inputs[0].name}.{of.measure.aggregation}")


def _edge(of: Computed) -> list[Accumulator]:
    """Return what knows the time of a value; that of an event is known anyhow."""
    column = of.input
    if column is None or not column.nullable:
        return []
    return [First(column) if of.measure.aggregation.endswith("first") else Last(column)]


def _since(of: Computed, cells: Cells, _: Sequence[Result]) -> Floats:
    edge, column = of.measure.aggregation.removeprefix("time_since_"), of.input
    known = column is None or not column.nullable
    at = cells.column(edge if known or column is None else f"{column.name}.{edge}_at")
    return np.where(missing(at), np.nan, (cells.now_us - np.where(missing(at), 0, at)) / _SECOND)


KERNELS = {
    "first": Kernel(lambda of: [First(of.inputs[0])], _value),
    "last": Kernel(lambda of: [Last(of.inputs[0])], _value),
    "time_since_first": Kernel(_edge, _since),
    "time_since_last": Kernel(_edge, _since),
}
