"""Vectors as a column: lists of fixed size in Arrow, a matrix of floats in numpy."""

from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from featurestore.contracts.fixed_text import Mask

Matrix = npt.NDArray[np.float64]


def vector_array(vectors: Matrix, there: Mask) -> Any:
    """Return a column of vectors.

    Args:
        vectors: Those that are not missing, one a row.
        there: For each event whether it has one.

    >>> vector_array(np.array([[1.0, 2.0]]), np.array([False, True])).to_pylist()
    [None, [1.0, 2.0]]
    """
    size = vectors.shape[1]
    if there.all():
        return pa.FixedSizeListArray.from_arrays(pa.array(vectors.ravel()), size)
    whole = np.zeros((len(there), size))
    whole[there] = vectors
    return pa.FixedSizeListArray.from_arrays(pa.array(whole.ravel()), size, mask=pa.array(~there))


def items_of(array: Any, size: int) -> tuple[Any, Mask] | None:
    """Return the items of the lists that are of this size, end to end, and which lists these are.

    None where the column is none of lists.

    >>> items_of(pa.array([[1, 2], None, [3]]), 2)[1].tolist()
    [True, False, False]
    """
    kinds = (pa.types.is_list, pa.types.is_large_list, pa.types.is_fixed_size_list)
    if not any(is_kind(array.type) for is_kind in kinds):
        return None
    lengths: Any = pc.list_value_length(array)
    fits: Mask = np.asarray(pc.fill_null(lengths, -1)) == size
    chosen = array if fits.all() else array.filter(pa.array(fits))
    return chosen.flatten(), fits
