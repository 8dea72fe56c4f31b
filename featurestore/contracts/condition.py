"""Conditions: for which events an expression holds."""

from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow.compute as pc

from featurestore.definitions.expression import Columns, Expression, as_expression


def holds(condition: Expression | str, columns: Columns) -> npt.NDArray[np.bool_]:
    """Tell for which events a condition is true; where it is neither true nor false it is not.

    >>> import pyarrow as pa
    >>> holds("paid", {"paid": pa.array([True, None, False])})
    array([ True, False, False])
    """
    found: Any = as_expression(condition).evaluate(columns)
    return np.asarray(pc.fill_null(found, False)).astype(bool)  # noqa: FBT003 - Arrow's way
