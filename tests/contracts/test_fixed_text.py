"""Instants, dates and UUIDs are read as pydantic reads them, or not at all."""

from datetime import UTC, date, datetime, timedelta
from itertools import product
from uuid import UUID

import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from featurestore.contracts.fixed_text import are_uuids, read_dates, read_epochs, read_instants

INSTANT, DATE = TypeAdapter(datetime), TypeAdapter(date)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def pydantic_us(text: object) -> int | None:
    try:
        at = INSTANT.validate_python(text)
    except ValidationError:
        return None
    aware = at if at.tzinfo else at.replace(tzinfo=UTC)
    return (aware - EPOCH) // timedelta(microseconds=1)


def edges() -> list[str]:
    days = [
        "2026-01-31",
        "2026-02-29",
        "2024-02-29",
        "1900-02-29",
        "0001-01-01",
        "9999-12-31",
        "2026-13-01",
        "2026-00-01",
        "2026-04-31",
        "0000-01-01",
        "2026-01-00",
    ]
    clocks = [
        "T00:00:00",
        " 23:59:59",
        "T24:00:00",
        "T23:60:00",
        "T23:59:60",
        "_10:00:00",
        "T1a:00:00",
        "T10-00:00",
    ]
    fractions = ["", ".5", ".12", ".123", ".1234", ".12345", ".123456", ".1234567", ",5", ".x"]
    zones = ["", "Z", "z", "+01:00", "-23:59", "+24:00", "+01:60", "+0100", "-00:00", "*01:00"]
    return ["".join(parts) for parts in product(days, clocks, fractions, zones)]


def test_every_form_of_an_instant_is_read_as_pydantic_does_or_not_at_all() -> None:
    texts = edges()
    values, read = read_instants(pa.array(texts))
    expected = [pydantic_us(text) for text in texts]
    assert [v for v, r in zip(values.tolist(), read, strict=True) if r] == [
        e for e, r in zip(expected, read, strict=True) if r
    ]
    assert read.sum() > 200


@settings(max_examples=100, deadline=None)
@given(
    st.lists(st.none() | st.datetimes(timezones=st.none() | st.timezones()), max_size=20),
    st.integers(0, 3),
)
def test_isoformat_is_always_read(instants: list[datetime | None], skipped: int) -> None:
    texts = [at and at.isoformat() for at in instants]
    values, read = read_instants(pa.array(texts, pa.string()).slice(skipped))
    for text, value, fine in zip(texts[skipped:], values.tolist(), read, strict=True):
        if fine:
            assert value == pydantic_us(text)
        elif text is not None:  # beyond the years 1 to 9999 in UTC, or an offset with seconds
            assert text[:4] in {"0001", "9999"} or len(text) > 32 or text.count(":") > 3


@settings(max_examples=100, deadline=None)
@given(st.lists(st.dates().map(str) | st.from_regex(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", fullmatch=True)))
def test_dates_are_read_as_pydantic_does(texts: list[str]) -> None:
    days, read = read_dates(pa.array(texts, pa.string()))
    for text, day, fine in zip(texts, days.tolist(), read, strict=True):
        try:
            expected = DATE.validate_python(text).toordinal() - EPOCH.toordinal()
        except ValidationError:
            expected = None
        assert (day if fine else None) == expected


@settings(max_examples=200, deadline=None)
@given(st.integers(-(2**62), 2**62) | st.integers(0, 3 * 10**14))
def test_numbers_are_read_as_pydantic_does_or_not_at_all(number: int) -> None:
    values, read = read_epochs(pa.array([number], pa.int64()).to_numpy())
    assert not read[0] or values[0] == pydantic_us(number)
    assert read[0] or number < 0 or number > 253402300799999


@given(st.uuids(), st.integers(0, 35), st.characters(codec="utf-8"))
def test_only_uuids_as_python_writes_them_pass(key: UUID, at: int, letter: str) -> None:
    text = str(key)
    changed = text[:at] + letter + text[at + 1 :]
    assert are_uuids(pa.array([text, key.hex, text.upper() + "x"])).tolist() == [True, False, False]
    if are_uuids(pa.array([changed]))[0]:
        assert str(UUID(changed)) == changed
