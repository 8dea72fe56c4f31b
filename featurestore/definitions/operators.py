"""What the operators of expressions do to whole columns.

None of them raises because of a value: what cannot be worked out is missing. What is wrong
whatever the values (types that do not go together, a pattern that is none, a time zone that does
not exist) is found on no rows at all, which is how definitions are checked.
"""

from collections.abc import Callable
from datetime import UTC, date, datetime
from functools import partial
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from featurestore.definitions.casts import as_date, cast, none_like

INSTANT = pa.timestamp("us", tz="UTC")
_CALENDAR = {
    pa.date32(): (date.min, date.max),
    INSTANT: (datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)),
}
_SMALLEST = -(2**63) + 1  # -2**63 stands for a missing value in the aggregation
_FAR = 2.0**62  # what does not fit into 64 bits is wrong by 2**64 and more
_WHOLE_FROM = 2.0**52  # floats from here on have no fraction
_MOST_DIGITS = 300  # of a fraction that a float can have
TYPES: dict[type, str] = {
    int: "int",
    float: "float",
    str: "str",
    bool: "bool",
    date: "date",
    datetime: "datetime",
}


def alike(values: list[Any]) -> list[Any]:
    """Make whole numbers floats beside floats, rounding as Python does.

    Left to itself Arrow refuses those beyond 2**53, and one event would stop a whole block.
    """
    if not any(pa.types.is_floating(value.type) for value in values):
        return values
    return [_rounded(v) if pa.types.is_integer(v.type) else v for v in values]


def _rounded(value: Any) -> Any:
    if pa.types.is_string(value.type):
        msg = f"{value.type} is no number; cast(float) makes one of it"
        raise pa.ArrowInvalid(msg)
    return pc.cast(value, pa.float64(), safe=False)


def _divide(dividend: Any, divisor: Any) -> Any:
    return pc.divide(_rounded(dividend), _rounded(divisor))


def _subtract(left: Any, right: Any) -> Any:
    difference = _whole(pc.subtract, left, right)
    if pa.types.is_duration(difference.type):
        microseconds = pc.cast(pc.cast(difference, pa.duration("us")), pa.int64())
        return pc.divide(_rounded(microseconds), 1e6)
    return difference


def _add(left: Any, right: Any) -> Any:
    if pa.types.is_string(left.type) and pa.types.is_string(right.type):
        return pc.binary_join_element_wise(left, right, "")
    return _whole(pc.add, left, right)


def _whole(function: Callable[[Any, Any], Any], left: Any, right: Any) -> Any:
    """Return a sum, difference or product, of whole numbers where it fits into 64 bits."""
    result = function(left, right)
    if not pa.types.is_integer(result.type):
        return result
    error = pc.subtract(_rounded(result), function(_rounded(left), _rounded(right)))
    far: Any = pa.scalar(_FAR)
    least: Any = pa.scalar(_SMALLEST)
    fits = pc.and_(pc.less(pc.abs(error), far), pc.greater_equal(result, least))
    return pc.if_else(fits, result, none_like(result))


def _round(values: Any, digits: Any) -> Any:
    places = _constant(digits, int)
    if not 0 <= places <= _MOST_DIGITS:
        msg = f"round takes 0 to {_MOST_DIGITS} digits"
        raise pa.ArrowInvalid(msg)
    if not pa.types.is_floating(values.type):
        return values if pa.types.is_integer(values.type) else pc.round(values, ndigits=places)
    most: Any = pa.scalar(_WHOLE_FROM / 10.0**places)
    few = pc.less(pc.abs(values), most)  # others have no more digits
    rounded = pc.round(pc.if_else(few, values, 0.0), ndigits=places)
    return pc.if_else(few, rounded, values)


def _of_float(function: Callable[[Any], Any], values: Any) -> Any:
    return function(_rounded(values))


def _local(part: Callable[[Any], Any], values: Any, zone: Any) -> Any:
    """Return a part of the clock and calendar of a place; Arrow knows summer time up to 2037."""
    if not pa.types.is_timestamp(values.type):
        msg = f"{values.type} is no instant"
        raise pa.ArrowInvalid(msg)
    local = pc.local_timestamp(pc.cast(values, pa.timestamp("us", tz=_constant(zone, str))))
    if not len(values):  # no value asks for the time zone: do it here
        _local(part, pa.array([0], INSTANT), zone)
    return part(local)


def _matches(texts: Any, pattern: Any) -> Any:
    expression = _constant(pattern, str)
    pc.match_substring_regex(pa.array([""]), expression)  # no text asks for the pattern
    return pc.match_substring_regex(texts, expression)


def _map(values: Any, *pairs: Any) -> Any:
    words = [_constant(word) for word in pairs]
    keys, table = pa.array(words[::2]), pa.array(words[1::2])
    if pa.types.is_floating(keys.type):
        values = alike([values, keys])[0]
    return table.take(pc.index_in(values, pa.array(words[::2], values.type)))


def _slice(texts: Any, start: Any, stop: Any) -> Any:
    return pc.utf8_slice_codeunits(texts, _constant(start, int), _constant(stop, int | None))


def _least(*values: Any) -> Any:
    return pc.min_element_wise(*values, skip_nulls=False)


def _greatest(*values: Any) -> Any:
    return pc.max_element_wise(*values, skip_nulls=False)


def _fill_null(values: Any, other: Any) -> Any:
    if not isinstance(other, pa.Scalar):
        return pc.coalesce(*alike([values, other]))
    of_floats = pa.types.is_integer(values.type) and pa.types.is_floating(other.type)
    if of_floats and not other.as_py().is_integer():  # Arrow would take off the fraction
        msg = f"{other.as_py()} is no int; coalesce makes floats of all"
        raise pa.ArrowInvalid(msg)
    return pc.fill_null(values, other if of_floats else alike([values, other])[1])


def finite(values: Any) -> Any:
    """Return values with what no feature can hold as missing.

    That are numbers that are not finite, vectors that have one, and what is not in the years 1 to
    9999.
    """
    if pa.types.is_fixed_size_list(values.type):
        return _finite_vectors(values)
    if pa.types.is_floating(values.type):
        return pc.if_else(pc.is_finite(values), values, none_like(values))
    if pa.types.is_timestamp(values.type):  # without a zone where a date was moved
        values = pc.cast(values, INSTANT, safe=False)
    return _in_the_calendar(values) if values.type in _CALENDAR else values


def _in_the_calendar(values: Any) -> Any:
    first, last = (pa.scalar(bound, values.type) for bound in _CALENDAR[values.type])
    fine = pc.and_(pc.greater_equal(values, first), pc.less_equal(values, last))
    return pc.if_else(fine, values, none_like(values))


def _constant(operand: Any, expected: Any = object) -> Any:
    """Return the value of an operand that must not depend on the event."""
    if not isinstance(operand, pa.Scalar):
        msg = "it takes a constant, and no column, here"
        raise pa.ArrowInvalid(msg)
    value = operand.as_py()
    if not isinstance(value, expected):
        msg = f"it does not take {value!r}"
        raise pa.ArrowInvalid(msg)
    return value


def _finite_vectors(vectors: Any) -> Any:
    fine: Any = pc.fill_null(pc.is_finite(vectors.flatten()), False)  # noqa: FBT003 - Arrow's way
    components = np.asarray(fine)
    if components.all():
        return vectors
    whole = np.array(pc.is_valid(vectors))
    whole[whole] = components.reshape(-1, vectors.type.list_size).all(axis=1)
    return pc.if_else(pa.array(whole), vectors, none_like(vectors))


OPERATORS: dict[str, Callable[..., Any]] = {
    "==": pc.equal,
    "!=": pc.not_equal,
    "<": pc.less,
    "<=": pc.less_equal,
    ">": pc.greater,
    ">=": pc.greater_equal,
    "+": _add,
    "-": _subtract,
    "*": partial(_whole, pc.multiply),
    "/": _divide,
    "and": pc.and_kleene,
    "or": pc.or_kleene,
    "not": pc.invert,
    "abs": pc.abs,
    "is_null": pc.is_null,
    "fill_null": _fill_null,
    "coalesce": pc.coalesce,
    "if": lambda condition, value: pc.if_else(condition, value, none_like(value)),
    "if_else": pc.if_else,
    "least": _least,
    "greatest": _greatest,
    "map": _map,
    "cast": cast,
    "round": _round,
    "floor": partial(_of_float, pc.floor),
    "ceil": partial(_of_float, pc.ceil),
    "sqrt": partial(_of_float, pc.sqrt),
    "log": partial(_of_float, pc.ln),
    "log1p": partial(_of_float, pc.log1p),
    "exp": partial(_of_float, pc.exp),
    "year": partial(_local, pc.year),
    "month": partial(_local, pc.month),
    "day": partial(_local, pc.day),
    "weekday": partial(_local, pc.day_of_week),
    "hour": partial(_local, pc.hour),
    "minute": partial(_local, pc.minute),
    "date": partial(_local, as_date),
    "lower": pc.utf8_lower,
    "upper": pc.utf8_upper,
    "strip": pc.utf8_trim_whitespace,
    "length": lambda texts: pc.cast(pc.utf8_length(texts), pa.int64()),
    "startswith": lambda texts, start: pc.starts_with(texts, _constant(start, str)),
    "endswith": lambda texts, end: pc.ends_with(texts, _constant(end, str)),
    "contains": lambda texts, part: pc.match_substring(texts, _constant(part, str)),
    "matches": _matches,
    "slice": _slice,
}
