"""Arrays: values as an on-demand function sees them, and what it gives as values again.

`featurestore.definitions.on_demand` has the table of types and nulls.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from featurestore.aggregation.windows import Value
from featurestore.definitions.contract import Kind
from featurestore.serving.key_values import encodable

Array = npt.NDArray[Any]

_DTYPES: dict[Kind, npt.DTypeLike] = {
    Kind.INT: np.float64,
    Kind.FLOAT: np.float64,
    Kind.BOOL: np.float64,
    Kind.DATETIME: "datetime64[us]",
    Kind.DATE: "datetime64[D]",
}
_LARGEST = 2**63
_FIRST, _LAST = np.datetime64("0001-01-01"), np.datetime64("9999-12-31T23:59:59.999999")


def array_of(values: Sequence[Value], kind: Kind, size: int = 0) -> Array:
    """Return values, as vectors hold them, as an array that cannot be changed.

    Args:
        values: The values.
        kind: What they are.
        size: Of vectors how many floats each has.

    >>> array_of([1, None], Kind.INT), array_of(["a", None], Kind.TEXT)
    (array([ 1., nan]), array(['a', None], dtype=object))
    >>> array_of([[1.0, 2.0], None], Kind.VECTOR, 2)
    array([[ 1.,  2.],
           [nan, nan]])
    """
    if kind is Kind.VECTOR:
        nothing = [np.nan] * size
        array = np.array([nothing if value is None else value for value in values], np.float64)
        array = array.reshape(-1, size)
    elif kind in _DTYPES:
        array = np.array(values, dtype=_DTYPES[kind])
    else:
        array = np.fromiter(values, dtype=object, count=len(values))
    array.flags.writeable = False
    return array


def values_of(given: object, kind: Kind, count: int, size: int = 0) -> list[Value]:
    """Return what a function gave as values, as vectors hold them.

    Args:
        given: Anything that numpy takes for an array; what is masked in it is null.
        kind: What it must hold.
        count: How many values there must be.
        size: Of vectors how many floats each must have.

    Raises:
        ValueError: It is of another shape or type; the text says what was expected and what came.

    >>> values_of(np.array([1.5, np.inf]), Kind.FLOAT, 2), values_of([True, None], Kind.BOOL, 2)
    ([1.5, None], [True, None])
    >>> values_of(np.array([1.5]), Kind.INT, 1)
    Traceback (most recent call last):
      ...
    ValueError: must be whole numbers, got 1.5
    """
    if kind is Kind.VECTOR:
        return _vectors(given, count, size)
    array: Array = np.ma.asanyarray(given)
    if array.shape != (count,):
        msg = f"must be {count} values, one for each entity, got {_shape(array)}"
        raise ValueError(msg)
    values = _plain(np.ma.getdata(array), kind)
    hidden = np.ma.getmaskarray(array).tolist()
    return [None if null else value for value, null in zip(values, hidden, strict=True)]


def _vectors(given: object, count: int, size: int) -> list[Value]:
    """Return vectors; None for one that is not there, or in which a number is not finite.

    >>> _vectors([[1, 2], None, [3.0, np.inf]], 3, 2)
    [[1.0, 2.0], None, None]
    >>> _vectors(np.zeros((2, 3)), 2, 2)
    Traceback (most recent call last):
      ...
    ValueError: must be 2 vectors of 2 floats, one for each entity, got shape (2, 3)
    """
    array: Array = given if isinstance(given, np.ndarray) else np.asarray(given, object)
    if array.ndim == 1 and array.dtype == object:
        array = _matrix(array, size)
    if array.shape != (count, size):
        msg = f"must be {count} vectors of {size} floats, one for each entity, got {_shape(array)}"
        raise ValueError(msg)
    numbers: Array = np.ma.filled(_floats(array, Kind.VECTOR), np.nan)
    whole: Array = np.logical_and.reduce(np.isfinite(numbers), axis=1)
    return [of if each else None for of, each in zip(numbers.tolist(), whole, strict=True)]


def _matrix(vectors: Array, size: int) -> Array:
    """Return vectors that came one by one as a matrix."""
    for vector in vectors:
        if vector is not None and np.shape(vector) != (size,):
            msg = f"must be vectors of {size} floats, got {_shape(np.asarray(vector))}"
            raise ValueError(msg)
    rows = [[None] * size if vector is None else list(vector) for vector in vectors]
    return np.array(rows, object).reshape(-1, size)


def _shape(array: Array) -> str:
    return f"shape {array.shape}" if array.ndim else f"the single value {array}"


def _plain(array: Array, kind: Kind) -> list[Value]:
    if kind is Kind.TEXT:
        return _texts(array)
    if kind in (Kind.DATETIME, Kind.DATE):
        return _times(array, kind)
    if kind is not Kind.FLOAT and array.dtype.kind in "iub":
        return _whole(array.astype(object), kind)
    numbers = _floats(array, kind)
    finite = np.where(np.isfinite(numbers), numbers, np.nan).astype(object)
    plain = [None if number != number else number for number in finite]  # noqa: PLR0124 - NaN
    return plain if kind is Kind.FLOAT else _whole(plain, kind)


def _floats(array: Array, kind: Kind) -> Array:
    if array.dtype.kind not in "fiubO":
        raise ValueError(_expected(kind, array))
    try:
        return array.astype(np.float64)
    except (TypeError, ValueError, OverflowError) as error:
        raise ValueError(_expected(kind, array)) from error


def _whole(numbers: Sequence[Any] | Array, kind: Kind) -> list[Value]:
    """Return numbers as ints, or as booleans."""
    for number in numbers:
        if number is not None and (number != int(number) or abs(number) >= _LARGEST):
            msg = f"must be whole numbers, got {number}"
            raise ValueError(msg)
        if kind is Kind.BOOL and number not in (None, 0, 1):
            msg = f"must be true or false, got {number}"
            raise ValueError(msg)
    whole: type = bool if kind is Kind.BOOL else int
    return [None if number is None else whole(number) for number in numbers]


def _texts(array: Array) -> list[Value]:
    if array.dtype.kind not in "UO":
        raise ValueError(_expected(Kind.TEXT, array))
    texts = array.tolist()
    for text in texts:
        if text is not None and not isinstance(text, str):
            msg = f"must be str or None, got {type(text).__name__} {text!r}"
            raise ValueError(msg)
    return [None if text is None else encodable(str(text)) for text in texts]


def _times(array: Array, kind: Kind) -> list[Value]:
    if array.dtype.kind != "M":
        raise ValueError(_expected(kind, array))
    times: Array = array.astype(_DTYPES[kind])
    outside = times[(times < _FIRST) | (times > _LAST)]
    if outside.size:
        msg = f"must be in the years 1 to 9999, got {outside[0]}"
        raise ValueError(msg)
    numbers = times.astype(np.int64).tolist()
    return [
        None if not_a_time else n for n, not_a_time in zip(numbers, np.isnat(array), strict=True)
    ]


def _expected(kind: Kind, array: Array) -> str:
    return f"must be {kind.value}, got an array of {array.dtype}"
