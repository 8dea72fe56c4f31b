"""Kinds of windows: what they span, and that tumbling ones are exact whatever the traffic."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from featurestore import last_n_events, lifetime, session, sliding, tumbling
from featurestore.aggregation.frames import decode
from featurestore.aggregation.layout import Layout
from featurestore.aggregation.short_rows import ShortRows
from featurestore.aggregation.windows import read
from featurestore.definitions.window import parse_window
from featurestore.instants import DAY, HOUR, MINUTE, SECOND, to_us
from tests.aggregation.test_compaction import traffic, view_with
from tests.rows import Rows

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("choice", "name"),
    [
        ("90m", "90m"),
        (timedelta(hours=2), "2h"),
        (sliding("1h"), "1h"),
        (sliding("1h", offset="7d"), "1h_7d_ago"),
        (tumbling("1d"), "1d_tumbling"),
        (tumbling("1d", complete=True), "1d_complete"),
        (tumbling("1d", name="today"), "today"),
        (lifetime(), "lifetime"),
        (lifetime(offset="7d"), "lifetime_7d_ago"),
        (session("30m"), "session_30m"),
        (session(timedelta(hours=1), longest="7d", offset="1d"), "session_1h_1d_ago"),
        (session("30m", name="visit"), "visit"),
        (last_n_events(10), "last_10"),
        (last_n_events(10, longest="30d", offset="1h"), "last_10_1h_ago"),
    ],
)
def test_a_window_is_named_for_what_it_is(choice, name) -> None:
    assert parse_window(choice).name == name


def test_a_day_starts_at_midnight_and_midnight_is_in_it() -> None:
    today, yesterday = (parse_window(tumbling("1d", complete=c)) for c in (False, True))
    assert today.span(5 * DAY + HOUR) == (5 * DAY - 1, 5 * DAY + HOUR)
    assert today.span(5 * DAY) == (5 * DAY - 1, 5 * DAY)
    assert yesterday.span(5 * DAY + HOUR) == (4 * DAY - 1, 5 * DAY - 1)
    assert yesterday.span(5 * DAY) == (4 * DAY - 1, 5 * DAY - 1)


def test_tumbling_windows_and_lifetimes_are_exact_whatever_the_traffic() -> None:
    view = view_with(tumbling("1d"), tumbling("1d", complete=True), tumbling("7d"), lifetime())
    rows = Rows(Layout.of(view))
    events = traffic(20_000, 12 * DAY)
    for start in range(0, len(events), 500):
        rows.append(events[start : start + 500])
        rows.compact()
    newest = events[-1]["at"]
    for now in (newest, newest + timedelta(hours=13), newest + timedelta(days=1)):
        answer = read(rows.layout, [rows.row(b"s")], to_us(now))
        midnight = datetime(now.year, now.month, now.day, tzinfo=UTC)
        days = [(e["at"] - midnight) // timedelta(days=1) for e in events]
        week = (to_us(now) // DAY) % 7
        expected = [days.count(0), days.count(-1), sum(d >= -week for d in days), len(events)]
        assert [column[0] for column in answer.columns[:4]] == expected
    assert len(rows.row(b"s") or b"") < 30_000


def minutely(*minutes: float) -> list[dict[str, Any]]:
    """Events so many minutes after noon."""
    blank = {"sensor": "s", "note": None, "value": 1.0, "small": None}
    return [blank | {"at": NOON + timedelta(minutes=minute)} for minute in minutes]


def counts_of(rows: Rows, now: datetime) -> list[Any]:
    answer = read(rows.layout, [rows.row(b"s")], to_us(now))
    return [column[0] for column in answer.columns[: len(rows.layout.windows)]]


def test_a_session_ends_once_its_newest_event_is_longer_ago_than_the_gap() -> None:
    rows = Rows(Layout.of(view_with(session("10m"), session("10m", longest="15m", name="short"))))
    noon, minute = NOON, timedelta(minutes=1)
    rows.append(minutely(0, 11, 21, 22, 31))
    assert counts_of(rows, noon + 31 * minute) == [4, 3]  # 10 minutes apart is one session
    assert counts_of(rows, noon + 36 * minute) == [4, 2]  # 15 minutes ago is out, as always
    assert counts_of(rows, noon + 41 * minute) == [4, 1]
    assert counts_of(rows, noon + 41 * minute + timedelta(microseconds=1)) == [0, 0]
    assert counts_of(rows, noon + 10 * minute) == [1, 1]


def test_events_of_one_instant_are_among_the_last_together() -> None:
    rows = Rows(Layout.of(view_with(last_n_events(1), last_n_events(2), last_n_events(4))))
    rows.append(minutely(0, 1, 1, 1, 2))
    assert counts_of(rows, NOON + timedelta(days=900)) == [1, 4, 4]
    assert counts_of(rows, NOON + timedelta(minutes=1)) == [3, 3, 4]


@pytest.mark.parametrize("block", [1, 7, 500, 20_000])
def test_sessions_and_last_events_are_exact_whatever_the_traffic(block) -> None:
    """A visit of 200 minutes every 212; of a large block, most becomes tiles at once."""
    windows = session("10m"), last_n_events(25), last_n_events(3, longest="2m")
    rows = Rows(Layout.of(view_with(*windows, budget=64)))
    visits = [range(start, start + 200) for start in range(0, 9 * 212, 212)]
    events = minutely(*(minute for visit in visits for minute in visit))
    for place in range(0, len(events), block):
        rows.append(events[place : place + block])
        if place % 9 == 0 and block < len(events):
            rows.compact()
    newest = events[-1]["at"]
    for _ in range(2):
        assert counts_of(rows, newest) == [200, 25, 2]
        assert counts_of(rows, newest + timedelta(minutes=11)) == [0, 25, 0]
        rows.compact()
    assert sum(map(len, decode(rows.layout, [rows.row(b"s")]))) <= rows.layout.most_records


def test_a_straggler_in_the_span_of_a_tile_does_not_break_a_session() -> None:
    layout = Layout.of(view_with(session("1m", longest="1h"), budget=8))
    rows = Rows(layout)
    seconds = [5, 60, 119, *range(120, 171, 5)]
    rows.append(minutely(*(second / 60 for second in seconds)))
    rows.compact()
    assert len(decode(layout, [rows.row(b"s")])[1]) == 3
    rows.append(minutely(118 / 60, -56 / 60))
    now_us = to_us(NOON) + 170 * SECOND
    assert read(layout, [rows.row(b"s")], now_us).columns[0] == [15]
    assert ShortRows(layout, [0]).read(rows.row(b"s") or b"", now_us) == ([15], [now_us])


def test_a_session_is_of_one_row_whatever_others_hold() -> None:
    rows = Rows(Layout.of(view_with(session("1m"))))
    rows.append(minutely(-9, 0, 0.5, 1))
    rows.append([event | {"sensor": "t"} for event in minutely(-300, -9.5, -8, 1, 1.5)])
    together = [rows.row(b"s"), None, rows.row(b"t"), rows.row(b"s")]
    assert read(rows.layout, together, to_us(NOON) + 2 * MINUTE).columns[0] == [3, 0, 2, 3]


def test_many_events_of_one_instant_do_not_hide_what_is_older() -> None:
    rows = Rows(Layout.of(view_with(last_n_events(4), last_n_events(1), budget=8)))
    rows.append(minutely(-1, -2, -3))
    rows.append(minutely(*[0] * 7))
    rows.compact()
    rows.append(minutely(*[0] * 9))
    for _ in range(2):
        rows.compact()
        assert counts_of(rows, NOON) == [16, 16]
