"""Casts: a whole column as another kind; what is none of that kind is missing."""

from collections.abc import Callable
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

_WHOLE = r"^\s*[-+]?0*[0-9]{1,19}\s*$"
_DECIMAL = r"^\s*[-+]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][-+]?[0-9]+)?\s*$"
_DAY = r"^\s*[0-9]{4}-[0-9]{2}-[0-9]{2}\s*$"
_TRUE, _FALSE = ["true", "1"], ["false", "0"]  # arrays of Arrow would load pandas with them
_BEYOND = float(2**63)
_LARGEST = 2**63 - 1
_WIDE = pa.decimal128(38, 0)


def none_like(values: Any) -> Any:
    """Return a missing value of the type of a column."""
    return pa.scalar(None, values.type)


def cast(values: Any, kind: Any) -> Any:
    """Return a column as a kind, which a scalar names.

    >>> cast(pa.array(["2026-01-31", "2026-02-30"]), pa.scalar("date")).to_pylist()
    [datetime.date(2026, 1, 31), None]

    Raises:
        pyarrow.ArrowInvalid: There is no such cast.
    """
    readers: dict[str, Callable[[Any], Any]] = {
        "int": _as_int,
        "float": _as_float,
        "bool": _as_bool,
        "str": _as_text,
        "date": as_date,
    }
    if kind.as_py() not in readers:
        msg = f"cast makes int, float, bool, str or date, not {kind.as_py()}"
        raise pa.ArrowInvalid(msg)
    return readers[kind.as_py()](values)


def _as_int(values: Any) -> Any:
    if pa.types.is_floating(values.type):
        fits = pc.less(pc.abs(values), pa.scalar(_BEYOND, values.type))
        return pc.cast(pc.trunc(pc.if_else(fits, values, none_like(values))), pa.int64())
    if pa.types.is_string(values.type):
        return _whole(_matching(values, _WHOLE))
    return pc.cast(_no_instant(values, "int"), pa.int64())


def _whole(digits: Any) -> Any:
    """Read texts of up to 19 digits, of which not all fit into 64 bits."""
    wide = pc.cast(digits, _WIDE)
    fits = pc.less_equal(pc.abs(wide), pa.scalar(_LARGEST).cast(_WIDE))
    return pc.cast(pc.if_else(fits, wide, none_like(wide)), pa.int64())


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


def as_date(values: Any) -> Any:
    """Return dates: of instants in UTC, of texts such as 2026-01-31."""
    if not pa.types.is_string(values.type):
        return pc.cast(values, pa.date32())
    texts = _matching(values, _DAY)
    days = pc.cast(pc.strptime(texts, format="%Y-%m-%d", unit="s", error_is_null=True), pa.date32())
    same = pc.equal(pc.cast(days, pa.string()), texts)  # 30 February is read as a day of March
    return pc.if_else(same, days, none_like(days))


def _matching(texts: Any, pattern: str) -> Any:
    """Return texts that match without white space around them, the others as missing."""
    fits = pc.match_substring_regex(texts, pattern)
    return pc.utf8_trim_whitespace(pc.if_else(fits, texts, none_like(texts)))


def _no_instant(values: Any, kind: str) -> Any:
    if pa.types.is_temporal(values.type):
        msg = f"{values.type} is no {kind}; take year(), month(), day(), hour() or a difference"
        raise pa.ArrowInvalid(msg)
    return values
