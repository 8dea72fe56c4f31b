# ruff: noqa: PLR2004 the numbers of the calendar and the clock speak for themselves
"""Texts of fixed form, read a whole column at once: instants, dates, UUIDs.

Only forms that pydantic reads to the same value are taken; every other text is reported as not
read, for pydantic to decide. Instants are read in the forms programs write ::

    2026-01-31T12:00:00        seconds with none to six digits of fraction,
    2026-01-31 12:00:00.123Z   "T" or a space between, and no zone (UTC), "Z"
    2026-01-31T12:00:00+01:00  or an offset

Cost: 40 to 80 ns a text.
"""

from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from featurestore.instants import DAY, HOUR, MINUTE, SECOND

Ints: TypeAlias = npt.NDArray[np.int64]
Mask: TypeAlias = npt.NDArray[np.bool_]
Letters: TypeAlias = npt.NDArray[np.uint8]  # one row per position, one column per text

FIRST_DAY, LAST_DAY = -719_162, 2_932_896  # the years 1 to 9999, in days since 1970
FIRST_US, LAST_US = FIRST_DAY * DAY, (LAST_DAY + 1) * DAY - 1

_SECONDS_UP_TO = 20_000_000_000  # pydantic takes larger numbers for milliseconds
_DATE_DIGITS = [0, 1, 2, 3, 5, 6, 8, 9]
_TIME_DIGITS = [11, 12, 14, 15, 17, 18]
_ZONES = {"": 0, "Z": 1, "offset": 6}
_ZERO, _HYPHEN = np.uint8(ord("0")), np.uint8(ord("-"))
# The first day of each month from January of the year 1 to January 10000.
_MONTHS = np.arange(-1969 * 12, 8030 * 12 + 1).astype("M8[M]").astype("M8[D]").astype(np.int32)
_HEX = np.isin(np.arange(256), np.frombuffer(b"0123456789abcdef", np.uint8))
_HYPHENS = [8, 13, 18, 23]
_HEX_PLACES = [place for place in range(36) if place not in _HYPHENS]


def read_instants(texts: Any) -> tuple[Ints, Mask]:
    """Return texts as microseconds since 1970 UTC, and which of them were read.

    >>> import pyarrow as pa
    >>> read_instants(pa.array(["1970-01-01T01:00:00.5+01:00", "1970-01-01", None]))
    (array([500000,      0,      0]), array([ True, False, False]))
    """
    microseconds = np.zeros(len(texts), np.int64)
    read = np.zeros(len(texts), np.bool_)
    for length, rows, letters in _by_length(texts, 19, 32):
        seconds, begun = _seconds(letters)
        for fraction in range(7):
            for zone, width in _ZONES.items():
                if 19 + fraction + (fraction > 0) + width == length:
                    rest, fine = _tail(letters, fraction, zone)
                    fine &= begun
                    if fine.any():
                        microseconds[rows[fine]] = (seconds * SECOND + rest)[fine]
                        read[rows[fine]] = True
    return microseconds, read & (microseconds >= FIRST_US) & (microseconds <= LAST_US)


def read_dates(texts: Any) -> tuple[Ints, Mask]:
    """Return texts as days since 1970, and which of them were read.

    >>> import pyarrow as pa
    >>> read_dates(pa.array(["1970-02-01", "1970-02-29"]))
    (array([31,  0]), array([ True, False]))
    """
    days, read = np.zeros(len(texts), np.int64), np.zeros(len(texts), np.bool_)
    for _, rows, letters in _by_length(texts, 10, 10):
        values, fine = _dates(letters)
        days[rows[fine]], read[rows] = values[fine], fine
    return days, read


def are_uuids(texts: Any) -> Mask:
    """Tell which texts are UUIDs as Python writes them.

    >>> import pyarrow as pa
    >>> are_uuids(pa.array(["12345678-1234-5678-1234-56781234567a", "12345678"])).tolist()
    [True, False]
    """
    found = np.zeros(len(texts), np.bool_)
    for _, rows, letters in _by_length(texts, 36, 36):
        hyphens = (letters[_HYPHENS] == ord("-")).all(axis=0)
        found[rows] = hyphens & _HEX[letters[_HEX_PLACES]].all(axis=0)
    return found


def read_epochs(numbers: Ints) -> tuple[Ints, Mask]:
    """Return seconds, or milliseconds where larger than 2e10, as pydantic takes them, in µs.

    >>> read_epochs(np.array([1, 20_000_000_001]))[0].tolist()
    [1000000, 20000000001000]
    """
    small = np.abs(numbers) <= _SECONDS_UP_TO
    fine = (numbers >= 0) & (numbers <= LAST_US // 1000)
    return np.where(fine, numbers, 0) * np.where(small, SECOND, 1000), fine


def _by_length(texts: Any, least: int, most: int) -> "list[tuple[int, Ints, Letters]]":
    """Group texts by length, laid out position by position."""
    _, offsets, data = texts.buffers()
    if not len(texts) or data is None:
        return []
    places = np.frombuffer(offsets, np.int32)[texts.offset : texts.offset + len(texts) + 1]
    begins, lengths = places[:-1], np.diff(places)
    letters, groups = np.frombuffer(data, np.uint8), []
    if texts.null_count:
        lengths = np.where(np.asarray(texts.is_valid()), lengths, 0)
    for length in np.unique(lengths).tolist():
        if least <= length <= most:
            rows = np.flatnonzero(lengths == length)
            groups.append((length, rows, _letters(letters, begins[rows], length)))
    return groups


def _letters(letters: Letters, begins: npt.NDArray[np.int32], length: int) -> Letters:
    first, last = int(begins[0]), int(begins[-1])
    if last - first == (len(begins) - 1) * length:  # one behind the other
        block = letters[first : last + length].reshape(len(begins), length)
        return np.ascontiguousarray(block.T)
    gathered: Letters = letters[begins + np.arange(length)[:, None]]
    return gathered


def _dates(letters: Letters) -> tuple[Ints, Mask]:
    digits = letters[:10] - _ZERO
    year = _two(digits, 0).astype(np.int32) * 100 + _two(digits, 2)
    month, day = _two(digits, 5), _two(digits, 8)
    fine = (digits[_DATE_DIGITS].max(axis=0) <= 9) & (year >= 1) & (month >= 1) & (month <= 12)
    fine &= (letters[4] == _HYPHEN) & (letters[7] == _HYPHEN)
    months = np.where(fine, year * 12 + month - 13, 0)
    starts = _MONTHS[months]
    fine &= (day >= 1) & (day <= _MONTHS[months + 1] - starts)
    return starts.astype(np.int64) + day - 1, fine


def _seconds(letters: Letters) -> tuple[Ints, Mask]:
    """Read the date and time of day, as seconds since 1970."""
    days, fine = _dates(letters)
    digits = letters[:19] - _ZERO
    hours, minutes, seconds = _two(digits, 11), _two(digits, 14), _two(digits, 17)
    fine &= (digits[_TIME_DIGITS].max(axis=0) <= 9) & (hours < 24) & (minutes < 60)
    fine &= (seconds < 60) & ((letters[10] == ord("T")) | (letters[10] == ord(" ")))
    fine &= (letters[13] == ord(":")) & (letters[16] == ord(":"))
    return days * 86_400 + (
        hours.astype(np.int32) * 3600 + minutes.astype(np.int32) * 60 + seconds
    ), fine


def _tail(letters: Letters, fraction: int, zone: str) -> tuple[Ints | int, Mask]:
    """Read what follows the seconds, in microseconds."""
    fine = np.ones(letters.shape[1], np.bool_)
    microseconds: Ints | int = 0
    if zone == "Z":
        fine = letters[-1] == ord("Z")
    elif zone:
        offset, fine = _offset(letters[-6:])
        microseconds = -offset
    if fraction and fine.any():
        digits = letters[20 : 20 + fraction] - _ZERO
        fine = fine & (letters[19] == ord(".")) & (digits.max(axis=0) <= 9)
        number = digits[0].astype(np.int64)
        for digit in digits[1:]:
            number = number * 10 + digit
        microseconds = microseconds + number * 10 ** (6 - fraction)
    return microseconds, fine


def _offset(letters: Letters) -> tuple[Ints, Mask]:
    digits, negative = letters - _ZERO, letters[0] == _HYPHEN
    hours, minutes = _two(digits, 1), _two(digits, 4)
    fine = (negative | (letters[0] == ord("+"))) & (letters[3] == ord(":"))
    fine &= (digits[[1, 2, 4, 5]].max(axis=0) <= 9) & (hours < 24) & (minutes < 60)
    return np.where(negative, -1, 1) * (hours * np.int64(HOUR) + minutes * np.int64(MINUTE)), fine


def _two(digits: Letters, at: int) -> Letters:
    """Two digits as a number; where they are no digits, any number."""
    number: Letters = digits[at] * np.uint8(10) + digits[at + 1]
    return number
