"""Instants and durations: aware datetimes outside, integer microseconds UTC inside.

The only place where one becomes the other.
"""

import re
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from typing import TypeAlias

Moment: TypeAlias = datetime | str | int

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

MILLISECOND = 1_000
SECOND = 1_000_000
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE
DAY = 24 * HOUR

_UNITS = {"ms": MILLISECOND, "s": SECOND, "m": MINUTE, "h": HOUR, "d": DAY, "w": 7 * DAY}
_DURATION = re.compile(r"([0-9]+)(ms|s|m|h|d|w)")
_MICROSECOND = timedelta(microseconds=1)
_LONGEST = 1000 * 365 * DAY
_FARTHEST_US = 2**62  # beyond the calendar, and within 64 bits whatever a window adds


def duration_us(duration: str | timedelta) -> int:
    """Return a duration in microseconds.

    Args:
        duration: Text such as ``500ms 30s 10m 1h 24h 7d``, or a timedelta.

    Raises:
        ValueError: It is neither, it is not longer than zero, or it is finer than a microsecond.

    >>> duration_us("10m"), duration_us(timedelta(hours=1))
    (600000000, 3600000000)
    >>> duration_us("ten minutes")
    Traceback (most recent call last):
      ...
    ValueError: 'ten minutes' is no duration: write a number and a unit, as in 500ms 30s 10m ...
    """
    if isinstance(duration, timedelta):
        microseconds = duration // _MICROSECOND
    else:
        found = _DURATION.fullmatch(duration.strip()) if isinstance(duration, str) else None
        if found is None:
            msg = (
                f"{duration!r} is no duration: write a number and a unit, "
                "as in 500ms 30s 10m 1h 24h 7d"
            )
            raise ValueError(msg)
        microseconds = int(found[1]) * _UNITS[found[2]]
    if not 0 < microseconds <= _LONGEST:
        msg = f"{duration!r} is no usable duration: it must be longer than 0 and at most 1000 years"
        raise ValueError(msg)
    return microseconds


def duration_text(microseconds: int) -> str:
    """Write a duration in the largest unit that divides it.

    >>> duration_text(86_400_000_000), duration_text(90_000_000), duration_text(1500)
    ('1d', '90s', '1500us')
    """
    for unit, size in reversed(_UNITS.items()):
        if unit != "w" and microseconds % size == 0:
            return f"{microseconds // size}{unit}"
    return f"{microseconds}us"


def to_us(instant: datetime) -> int:
    """Return an instant as microseconds since 1970 UTC; a naive one is taken as UTC.

    >>> to_us(datetime(1970, 1, 1, 0, 0, 1))
    1000000
    """
    aware = instant if instant.tzinfo else instant.replace(tzinfo=UTC)
    return (aware - EPOCH) // _MICROSECOND


def from_us(microseconds: int) -> datetime:
    """Return microseconds since 1970 UTC as an aware datetime.

    >>> from_us(1_000_000).isoformat()
    '1970-01-01T00:00:01+00:00'
    """
    return EPOCH + timedelta(microseconds=microseconds)


def instant_text(microseconds: int) -> str:
    """Write an instant as RFC 3339 in UTC, with a fraction only when there is one.

    >>> instant_text(1_500_000), instant_text(0)
    ('1970-01-01T00:00:01.500000Z', '1970-01-01T00:00:00Z')
    """
    second, fraction = divmod(microseconds, SECOND)
    text = _second_text(second)
    return f"{text}.{fraction:06d}Z" if fraction else f"{text}Z"


@lru_cache(maxsize=4096)
def _second_text(second: int) -> str:
    return from_us(second * SECOND).isoformat().removesuffix("+00:00")


def parse_instant(text: str) -> int:
    """Read an ISO 8601 instant as microseconds UTC; without an offset it is taken as UTC.

    Raises:
        ValueError: It is not an instant, or in UTC not one of the years 1 to 9999.

    >>> parse_instant("1970-01-01T01:00:01+01:00")
    1000000
    """
    try:
        microseconds = to_us(datetime.fromisoformat(text))
        from_us(microseconds)  # an offset may lead out of the calendar
    except (ValueError, OverflowError) as error:
        msg = f"{text!r} is no instant: write it as 2026-01-31T12:00:00Z"
        raise ValueError(msg) from error
    return microseconds


def moment_us(moment: Moment) -> int:
    """Return a moment, however a caller may write it, as microseconds UTC.

    Raises:
        ValueError: It is text, but no instant.
        TypeError: It is nothing of these, or centuries beyond the calendar.

    >>> moment_us(datetime(1970, 1, 1, 0, 0, 1)), moment_us("1970-01-01T00:00:01Z"), moment_us(7)
    (1000000, 1000000, 7)
    """
    match moment:
        case datetime() if moment == moment:  # noqa: PLR0124 - NaT of pandas is none
            return to_us(moment)
        case str():
            return parse_instant(moment)
        case int() if abs(moment) < _FARTHEST_US:
            return moment
    msg = f"a moment is a datetime, text as 2026-01-31T12:00:00Z, or microseconds, not {moment!r}"
    raise TypeError(msg)


def day_text(days: int) -> str:
    """Write days since 1970 as a date.

    >>> day_text(365)
    '1971-01-01'
    """
    return date.fromordinal(EPOCH.toordinal() + days).isoformat()
