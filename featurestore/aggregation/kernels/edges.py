"""first, last, time_since_first, time_since_last."""

from collections.abc import Sequence

import numpy as np

from featurestore.aggregation.accumulators import Accumulator, First, Last, VectorEdge, Wire
from featurestore.aggregation.arrays import Floats, Ragged, Values, missing
from featurestore.aggregation.computed import Cells, Computed, Result, listed
from featurestore.aggregation.kernels.kernel import Kernel
from featurestore.definitions.contract import Kind

_SECOND = 1e6


def _first(of: Computed) -> list[Accumulator]:
    (column,) = of.inputs
    return [VectorEdge(column, newest=False) if column.wire is Wire.VECTOR else First(column)]


def _last(of: Computed) -> list[Accumulator]:
    (column,) = of.inputs
    return [VectorEdge(column, newest=True) if column.wire is Wire.VECTOR else Last(column)]


def _value(of: Computed, cells: Cells, _: Sequence[Result]) -> Values | Ragged:
    values = cells.column(f"{of.inputs[0].name}.{of.measure.aggregation}")
    return listed(values) if of.kind is Kind.VECTOR else values


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
    "first": Kernel(_first, _value),
    "last": Kernel(_last, _value),
    "time_since_first": Kernel(_edge, _since),
    "time_since_last": Kernel(_edge, _since),
}
