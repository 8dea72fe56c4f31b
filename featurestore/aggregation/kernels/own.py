"""own_int, own_float: what a user brings."""

from collections.abc import Sequence

import numpy as np

from featurestore.aggregation.accumulators import Own
from featurestore.aggregation.accumulators.accumulator import plain
from featurestore.aggregation.arrays import NULL, Values
from featurestore.aggregation.computed import Cells, Computed, Result, finite
from featurestore.aggregation.kernels.kernel import Kernel
from featurestore.definitions.aggregations.own import OwnAggregation
from featurestore.definitions.contract import Kind


def _kept(of: Computed) -> Own:
    by = of.measure["own"]
    assert isinstance(by, OwnAggregation)
    name = f"{by}({', '.join(column.name for column in of.inputs)})"
    return Own(of.inputs, name, by)


def _result(of: Computed, cells: Cells, _: Sequence[Result]) -> Values:
    kept = _kept(of)
    some = np.flatnonzero(cells.column(kept.counted) > 0)
    state = {field.name: plain(cells.state, field.name)[some] for field in kept.fields}
    if of.kind is Kind.INT:
        ints = np.full(len(cells), NULL)
        ints[some] = kept.result(state, np.int64)
        return ints
    floats = np.full(len(cells), np.nan)
    floats[some] = kept.result(state, np.float64)
    return finite(floats)


KERNELS = {
    "own_int": Kernel(lambda of: [_kept(of)], _result),
    "own_float": Kernel(lambda of: [_kept(of)], _result),
}
