"""Cells: a column of a table as the contract wants it, and which of its cells are certainly right.

Only what pydantic certainly accepts, with the value it would give, is right; every other cell is
left to pydantic with its whole row. A missing cell is right where the caller says so.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from featurestore.contracts.fixed_text import (
    FIRST_DAY,
    FIRST_US,
    LAST_DAY,
    LAST_US,
    Ints,
    Mask,
    are_uuids,
    read_dates,
    read_epochs,
    read_instants,
)
from featurestore.contracts.shape import LARGEST, SMALLEST, Leaf
from featurestore.contracts.vectors import items_of, vector_array
from featurestore.definitions.contract import ARROW_TYPES, Kind

_WHOLE = r"^-?(0|[1-9][0-9]{0,17})$"
_DECIMAL = r"^-?[0-9]{1,17}(\.[0-9]{1,17})?([eE][-+]?[0-9]{1,2})?$"
_TRUE, _FALSE = ["true", "True", "TRUE", "1"], ["false", "False", "FALSE", "0"]
_EXACT = 2**53  # floats hold every whole number up to here


def plain(array: Any) -> Any:
    """Return a column without dictionaries and 64-bit offsets, in one piece.

    >>> plain(pa.array(["a", "b"], pa.large_string()).dictionary_encode()).type
    DataType(string)
    """
    if isinstance(array.type, pa.ExtensionType):
        array = array.storage
    if pa.types.is_dictionary(array.type):
        array = array.dictionary_decode()
    if pa.types.is_large_string(array.type) or pa.types.is_string_view(array.type):
        array = pc.cast(array, pa.string())
    return _checked(array) if pa.types.is_string(array.type) else array


def _checked(texts: Any) -> Any:
    """Return texts as bytes when some are not UTF-8: files do not promise it."""
    data = pc.cast(texts, pa.binary())
    try:
        return pc.cast(data, pa.string())
    except pa.ArrowInvalid:
        return data


def convert(array: Any, leaf: Leaf, kind: Kind) -> tuple[Any, Mask]:
    """Return a plain column as `kind`, and which of its cells are there and certainly right.

    >>> values, right = convert(pa.array([5, None, -1]), Leaf("float", {"ge": 0.0}), Kind.FLOAT)
    >>> values.to_pylist(), right.tolist()
    ([5.0, None, -1.0], [True, False, False])
    """
    if kind is Kind.VECTOR:
        return _vectors(array, leaf)
    values, right = _READERS[kind](array, leaf)
    if values.null_count:
        right &= _mask(pc.is_valid(values))
    for name, limit in leaf.limits.items():
        right &= _mask(_within(values, name, limit, strictly=leaf.type == "decimal"))
    if leaf.type == "choice":
        choices = [choice for choice in leaf.choices if isinstance(choice, _PYTHON[kind])]
        right &= _mask(pc.is_in(values, pa.array(choices, values.type)))
    return values, right


def _vectors(array: Any, leaf: Leaf) -> tuple[Any, Mask]:
    """Return vectors: the lists of so many floats of which each is certainly right."""
    found = items_of(array, leaf.size)
    if found is None:
        nothing = np.zeros(len(array), np.bool_)
        return vector_array(np.zeros((0, leaf.size)), nothing), nothing
    items, right = found
    numbers, fine = convert(plain(items), Leaf("float", leaf.limits), Kind.FLOAT)
    whole = fine.reshape(-1, leaf.size).all(axis=1)
    right = right.copy()
    right[right] = whole
    return vector_array(np.asarray(numbers).reshape(-1, leaf.size)[whole], right), right


_PYTHON: dict[Kind, type] = {Kind.INT: int, Kind.TEXT: str}


def _mask(booleans: Any) -> Mask:
    if booleans.null_count:
        booleans = pc.fill_null(booleans, False)  # noqa: FBT003 what is missing is not right
    found: Mask = np.asarray(booleans)
    return found.copy() if not found.flags.writeable else found


def _within(values: Any, name: str, limit: Any, *, strictly: bool) -> Any:
    if name in _COMPARE:
        return _COMPARE[name + "!" if strictly else name](values, pa.scalar(limit, values.type))
    if name == "multiple_of":
        quotient = pc.divide(values, limit)
        return pc.equal(pc.multiply(quotient, limit), values)
    if name == "pattern":
        return pc.match_substring_regex(values, limit.removesuffix(r"\Z") + r"\z")
    lengths = pc.utf8_length(values)
    return (pc.greater_equal if name == "min_length" else pc.less_equal)(lengths, limit)


_COMPARE: dict[str, Callable[[Any, Any], Any]] = {
    "ge": pc.greater_equal,
    "gt": pc.greater,
    "le": pc.less_equal,
    "lt": pc.less,
    "ge!": pc.greater,  # a decimal rounded to a float may look equal to a bound it is beyond
    "gt!": pc.greater,
    "le!": pc.less,
    "lt!": pc.less,
}


def _none(array: Any, kind: Kind) -> tuple[Any, Mask]:
    arrow_type: Any = ARROW_TYPES[kind]
    return pa.nulls(len(array), arrow_type), np.zeros(len(array), np.bool_)


def _all(array: Any) -> Mask:
    return np.ones(len(array), np.bool_)


def _matching(texts: Any, pattern: str) -> tuple[Any, Mask]:
    """Return the texts that match, the others as missing."""
    fits = pc.match_substring_regex(texts, pattern)
    return pc.if_else(fits, texts, pa.scalar(None, pa.string())), _mask(fits)


def _ints(array: Any, _: Leaf) -> tuple[Any, Mask]:
    if pa.types.is_integer(array.type):
        values = pc.cast(array, pa.int64(), safe=False)
        right = _mask(pc.greater_equal(values, pa.scalar(SMALLEST)))
        if pa.types.is_uint64(array.type):
            right &= _mask(pc.less_equal(array, pa.scalar(LARGEST, pa.uint64())))
        return values, right
    if pa.types.is_float32(array.type) or pa.types.is_float64(array.type):
        whole = pc.and_(
            pc.less(pc.abs(array), pa.scalar(float(_EXACT), array.type)),
            pc.equal(pc.trunc(array), array),
        )
        values = pc.if_else(whole, array, pa.scalar(None, array.type))
        return pc.cast(values, pa.int64()), _mask(whole)
    if pa.types.is_string(array.type):
        texts, right = _matching(array, _WHOLE)
        return pc.cast(texts, pa.int64()), right
    return _none(array, Kind.INT)


def _floats(array: Any, _: Leaf) -> tuple[Any, Mask]:
    if pa.types.is_integer(array.type) or pa.types.is_floating(array.type):
        values = pc.cast(array, pa.float64(), safe=False)
        return values, _mask(pc.is_finite(values))
    if pa.types.is_decimal(array.type):
        # By way of text: Arrow's own cast is not correctly rounded.
        values = pc.cast(pc.cast(array, pa.string()), pa.float64())
        return values, _mask(pc.is_finite(values))
    if pa.types.is_string(array.type):
        texts, right = _matching(array, _DECIMAL)
        return pc.cast(texts, pa.float64()), right
    return _none(array, Kind.FLOAT)


def _bools(array: Any, _: Leaf) -> tuple[Any, Mask]:
    if pa.types.is_boolean(array.type):
        return array, _all(array)
    if pa.types.is_string(array.type):
        true, false = pc.is_in(array, pa.array(_TRUE)), pc.is_in(array, pa.array(_FALSE))
        right = pc.or_(true, false)
        return pc.if_else(right, true, pa.scalar(None, pa.bool_())), _mask(right)
    if pa.types.is_integer(array.type):
        true = pc.equal(array, pa.scalar(1, array.type))
        return true, _mask(pc.or_(true, pc.equal(array, pa.scalar(0, array.type))))
    return _none(array, Kind.BOOL)


def _texts(array: Any, leaf: Leaf) -> tuple[Any, Mask]:
    if not pa.types.is_string(array.type):
        return _none(array, Kind.TEXT)
    if leaf.type == "uuid":
        return array, are_uuids(array)
    return array, _all(array)


def _instants(array: Any, _: Leaf) -> tuple[Any, Mask]:
    if pa.types.is_timestamp(array.type):
        return _typed(array, *_in_microseconds(array), Kind.DATETIME)
    if pa.types.is_string(array.type):
        return _typed(array, *read_instants(array), Kind.DATETIME)
    if pa.types.is_signed_integer(array.type):
        numbers = np.asarray(pc.fill_null(pc.cast(array, pa.int64()), -1))
        return _typed(array, *read_epochs(numbers), Kind.DATETIME)
    return _none(array, Kind.DATETIME)


_PER_SECOND = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}


def _in_microseconds(array: Any) -> tuple[Ints, Mask]:
    """Return timestamps of any unit in microseconds; nanoseconds are cut off."""
    ints = pc.cast(array, pa.int64())
    words: Ints = np.asarray(pc.fill_null(ints, 0) if ints.null_count else ints)
    per_second = _PER_SECOND[array.type.unit]
    first, last = (bound * per_second // 10**6 for bound in (FIRST_US, LAST_US))
    if array.type.unit == "ns":  # 64 bits of them are within the years 1 to 9999
        return words // 1000, np.ones(len(words), np.bool_)
    fine = (words >= first) & (words <= last)
    return np.where(fine, words, 0) * (10**6 // per_second), fine


def _dates(array: Any, _: Leaf) -> tuple[Any, Mask]:
    if pa.types.is_date32(array.type):
        days = pc.cast(array, pa.int32())
        fine = pc.and_(
            pc.greater_equal(days, pa.scalar(FIRST_DAY)), pc.less_equal(days, pa.scalar(LAST_DAY))
        )
        return array, _mask(fine)
    if pa.types.is_string(array.type):
        return _typed(array, *read_dates(array), Kind.DATE)
    return _none(array, Kind.DATE)


def _typed(array: Any, values: Ints, fine: Mask, kind: Kind) -> tuple[Any, Mask]:
    fine = fine & _mask(pc.is_valid(array)) if array.null_count else fine
    words = values.astype(np.int32) if kind is Kind.DATE else values
    return pa.array(words, mask=None if fine.all() else ~fine).cast(ARROW_TYPES[kind]), fine


_READERS: dict[Kind, Callable[[Any, Leaf], tuple[Any, Mask]]] = {
    Kind.INT: _ints,
    Kind.FLOAT: _floats,
    Kind.BOOL: _bools,
    Kind.TEXT: _texts,
    Kind.DATETIME: _instants,
    Kind.DATE: _dates,
}
