"""What the operators of expressions do to whole columns.

None of them raises because of a value: what cannot be worked out is missing. What is wrong
whatever the values (types that do not go together, a pattern that is none, a time zone that does
not exist) is found on no rows at all, which is how definitions are checked.
"""

from collections.abc import Callable
from datetime import date, datetime
from functools import partial
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

INSTANT = pa.timestamp("us", tz="UTC")
_WHOLE = r"^\s*-?[0-9]{1,18}\s*$"
_DECIMAL = r"^\s*-?[0-9]{1,17}(\.[0-9]{1,17})?([eE][-+]?[0-9]{1,2})?\s*$"
_TRUE, _FALSE = ["true", "1"], ["false", "0"]  # arrays of Arrow would load pandas with them
_LARGEST = float(2**63)
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
    return pc.cast(value, pa.float64(), safe=False)


def _divide(dividend: Any, divisor: Any) -> Any:
    return pc.divide(_rounded(dividend), _rounded(divisor))


def _subtract(left: Any, right: Any) -> Any:
    difference = pc.subtract(left, right)
    if pa.types.is_duration(difference.type):
        microseconds = pc.cast(pc.cast(difference, pa.duration("us")), pa.int64())
        return pc.divide(_rounded(microseconds), 1e6)
    return difference


def _add(left: Any, right: Any) -> Any:
    if pa.types.is_string(left.type) and pa.types.is_string(right.type):
        return pc.binary_join_element_wise(left, right, "")
    return pc.add(left, right)


def _none(values: Any) -> Any:
    return pa.scalar(None, values.type)


def _cast(values: Any, kind: Any) -> Any:
    readers: dict[str, Callable[[Any], Any]] = {
        "int": _as_int,
        "float": _as_float,
        "bool": _as_bool,
        "str": _as_text,
        "date": _as_date,
    }
    if kind.as_py() not in readers:
        msg = f"cast makes int, float, bool, str or date, not {kind.as_py()}"
        raise pa.ArrowInvalid(msg)
    return readers[kind.as_py()](values)


def _as_int(values: Any) -> Any:
    if pa.types.is_floating(values.type):
        fits = pc.less(pc.abs(values), pa.scalar(_LARGEST, values.type))
        return pc.cast(pc.trunc(pc.if_else(fits, values, _none(values))), pa.int64())
    if pa.types.is_string(values.type):
        return pc.cast(_matching(values, _WHOLE), pa.int64())
    return pc.cast(_no_instant(values, "int"), pa.int64())


def _as_float(values: Any) -> Any:
    if pa.types.is_string(values.type):
        return pc.cast(_matching(values, _DECIMAL), pa.float64())
    return pc.cast(_no_instant(values, "float"), pa.float64(), safe=False)


def _as_bool(values: Any) -> Any:
    if not pa.types.is_string(values.type):
        return pc.cast(_no_instant(values, "bool"), pa.bool_())
    lower = pc.utf8_lower(values)
    true, false = pc.is_in(lower, pa.array(_TRUE)), pc.is_in(lower, pa.array(_FALSE))
    return pc.if_else(pc.or_(true, false), true, pa.scalar(None, pa.bool_()))


def _as_text(values: Any) -> Any:
    if pa.types.is_timestamp(values.type):
        return pc.strftime(values, format="%Y-%m-%dT%H:%M:%SZ")
    return pc.cast(values, pa.string())


def _as_date(values: Any) -> Any:
    return pc.cast(values, pa.date32())


def _matching(texts: Any, pattern: str) -> Any:
    """Return texts that match without white space around them, the others as missing."""
    fits = pc.match_substring_regex(texts, pattern)
    return pc.utf8_trim_whitespace(pc.if_else(fits, texts, _none(texts)))


def _no_instant(values: Any, kind: str) -> Any:
    if pa.types.is_temporal(values.type):
        msg = f"{values.type} is no {kind}; take year(), month(), day(), hour() or a difference"
        raise pa.ArrowInvalid(msg)
    return values


def _round(values: Any, digits: Any) -> Any:
    if digits.as_py() < 0:
        msg = "round takes 0 or more digits"
        raise pa.ArrowInvalid(msg)
    whole = pa.types.is_integer(values.type)
    return values if whole else pc.round(values, ndigits=digits.as_py())


def _of_float(function: Callable[[Any], Any], values: Any) -> Any:
    return function(_rounded(values))


def _local(part: Callable[[Any], Any], values: Any, zone: Any) -> Any:
    """Return a part of the clock and calendar of a place; Arrow knows summer time up to 2037."""
    if not pa.types.is_timestamp(values.type):
        msg = f"{values.type} is no instant"
        raise pa.ArrowInvalid(msg)
    local = pc.local_timestamp(pc.cast(values, pa.timestamp("us", tz=zone.as_py())))
    if not len(values):  # no value asks for the time zone: do it here
        _local(part, pa.array([0], INSTANT), zone)
    return part(local)


def _matches(texts: Any, pattern: Any) -> Any:
    pc.match_substring_regex(pa.array([""]), pattern.as_py())  # no text asks for the pattern
    return pc.match_substring_regex(texts, pattern.as_py())


def _map(values: Any, *pairs: Any) -> Any:
    keys, results = pairs[::2], pairs[1::2]
    table = pa.array([result.as_py() for result in results])
    places = pc.index_in(values, pa.array([key.as_py() for key in keys], values.type))
    return table.take(places)


def _least(*values: Any) -> Any:
    return pc.min_element_wise(*values, skip_nulls=False)


def _greatest(*values: Any) -> Any:
    return pc.max_element_wise(*values, skip_nulls=False)


def finite(values: Any) -> Any:
    """Return values with numbers that are not finite as missing, and vectors that have one."""
    if pa.types.is_fixed_size_list(values.type):
        return _finite_vectors(values)
    if not pa.types.is_floating(values.type):
        return values
    return pc.if_else(pc.is_finite(values), values, _none(values))


def _finite_vectors(vectors: Any) -> Any:
    fine: Any = pc.fill_null(pc.is_finite(vectors.flatten()), False)  # noqa: FBT003 - Arrow's way
    components = np.asarray(fine)
    if components.all():
        return vectors
    whole = np.array(pc.is_valid(vectors))
    whole[whole] = components.reshape(-1, vectors.type.list_size).all(axis=1)
    return pc.if_else(pa.array(whole), vectors, _none(vectors))


OPERATORS: dict[str, Callable[..., Any]] = {
    "==": pc.equal,
    "!=": pc.not_equal,
    "<": pc.less,
    "<=": pc.less_equal,
    ">": pc.greater,
    ">=": pc.greater_equal,
    "+": _add,
    "-": _subtract,
    "*": pc.multiply,
    "/": _divide,
    "and": pc.and_kleene,
    "or": pc.or_kleene,
    "not": pc.invert,
    "abs": pc.abs,
    "is_null": pc.is_null,
    "fill_null": pc.fill_null,
    "coalesce": pc.coalesce,
    "if": lambda condition, value: pc.if_else(condition, value, _none(value)),
    "if_else": pc.if_else,
    "least": _least,
    "greatest": _greatest,
    "map": _map,
    "cast": _cast,
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
    "date": partial(_local, _as_date),
    "lower": pc.utf8_lower,
    "upper": pc.utf8_upper,
    "strip": pc.utf8_trim_whitespace,
    "length": pc.utf8_length,
    "startswith": lambda texts, start: pc.starts_with(texts, start.as_py()),
    "endswith": lambda texts, end: pc.ends_with(texts, end.as_py()),
    "contains": lambda texts, part: pc.match_substring(texts, part.as_py()),
    "matches": _matches,
    "slice": lambda texts, start, stop: pc.utf8_slice_codeunits(texts, start.as_py(), stop.as_py()),
}
