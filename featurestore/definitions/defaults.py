"""Defaults: what stands in a vector where a feature has no value."""

from datetime import date, datetime
from sys import float_info

from featurestore.definitions.contract import Kind
from featurestore.errors import shown
from featurestore.instants import EPOCH, to_us

Default = int | float | bool | str

_LARGEST = 2**63


def raw_default(value: object, kind: Kind) -> Default:
    """Return a default as values of its kind are held: instants in µs UTC, dates in days.

    An int is taken for a float, and nothing else for anything else.

    Raises:
        ValueError: It is no value of this kind; the text says what was expected and what came.

    >>> raw_default(0, Kind.FLOAT), raw_default(date(1970, 1, 2), Kind.DATE)
    (0.0, 1)
    >>> raw_default("none", Kind.INT)
    Traceback (most recent call last):
      ...
    ValueError: must be int, got str 'none'
    """
    match kind, value:
        case Kind.BOOL, bool():
            return value
        case Kind.TEXT, str():
            return value
        case (Kind.INT, int()) if not isinstance(value, bool) and abs(value) < _LARGEST:
            return value
        case (Kind.FLOAT, int() | float()) if not isinstance(value, bool) and is_finite(value):
            return float(value)
        case (Kind.DATETIME, datetime()):
            return to_us(value)
        case (Kind.DATE, date()) if not isinstance(value, datetime):
            return value.toordinal() - EPOCH.toordinal()
    raise ValueError(_expected(kind.value, value))


def vector_default(value: object, size: int) -> list[Default]:
    """Return a default for vectors of so many floats.

    Raises:
        ValueError: It is no list of so many numbers.

    >>> vector_default([0, 1], 2)
    [0.0, 1.0]
    >>> vector_default([0.5], 2)
    Traceback (most recent call last):
      ...
    ValueError: must be a list of 2 floats, got list '[0.5]'
    """
    if not isinstance(value, list | tuple) or len(value) != size:
        raise ValueError(_expected(f"a list of {size} floats", value))
    return [raw_default(item, Kind.FLOAT) for item in value]


def is_finite(number: float) -> bool:
    """Tell whether a float can be it; an int may be too large for that.

    >>> is_finite(10**300), is_finite(10**400), is_finite(float("nan"))
    (True, False, False)
    """
    return abs(number) <= float_info.max


def _expected(what: str, value: object) -> str:
    text = shown(value) if isinstance(value, list | tuple | dict) else str(value)
    return f"must be {what}, got {type(value).__name__} {text[:100]!r}"
