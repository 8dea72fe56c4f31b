"""Frames: bytes that come back as they were, or are refused."""

import struct
from contextlib import suppress
from datetime import UTC, date, datetime, timedelta

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from featurestore.aggregation.arrays import Ragged
from featurestore.aggregation.compaction import compact
from featurestore.aggregation.frames import LARGEST_FRAME, decode, encode
from featurestore.aggregation.groups import Groups
from featurestore.aggregation.headers import POINTS, TILES
from featurestore.aggregation.layout import AT, Layout
from featurestore.aggregation.records import Records
from featurestore.aggregation.windows import read
from featurestore.instants import to_us
from tests.rows import Rows
from tests.strategies import purchases, view_of

KINDS = ("basic", "numbers", "numeric", "listed", "vectors", "vectors_by_events")
LAYOUTS = {kind: Layout.of(view_of(("1m", "1h"), None, 4, features=kind)) for kind in KINDS}
LAYOUT = LAYOUTS["basic"]


def listed(records: Records) -> list[tuple[object, ...]]:
    """Records row by row, texts as bytes, so that frames of different batches can be compared."""
    columns = []
    for name, column in sorted(records.state.items()):
        if isinstance(column, Ragged):
            ends = np.cumsum(column.lengths)
            columns.append(
                [
                    tuple(column.numbers[e - n : e])
                    for n, e in zip(column.lengths, ends, strict=True)
                ]
            )
        elif column.dtype == object:
            columns.append(column.tolist())
        elif name.split(".")[0] in ("status", "note") and not name.endswith((".n", "_at")):
            columns.append([records.words[c] if c >= 0 else None for c in column.tolist()])
        else:
            columns.append(column.view(np.int64).tolist())
    return list(zip(*columns, strict=True))


@pytest.mark.parametrize("kind", ["basic", "numbers"])
@settings(max_examples=40, deadline=None)
@given(events=purchases(most=12), order=st.randoms(use_true_random=False))
def test_frames_in_any_order_hold_the_same_records(kind: str, events, order) -> None:
    layout = LAYOUTS[kind]
    rows = Rows(layout)
    for event in events:
        rows.append([event])
    rows.compact(0.5)
    for frames in rows.frames.values():
        compacted, *others = frames
        straight = decode(layout, [b"".join(frames)])
        order.shuffle(others)
        shuffled = decode(layout, [b"".join([compacted, *others])])
        for before, after in zip(straight, shuffled, strict=True):
            assert sorted(map(repr, listed(before))) == sorted(map(repr, listed(after)))


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=20, deadline=None)
@given(events=purchases(most=12))
def test_what_was_encoded_is_decoded(kind: str, events) -> None:
    layout = LAYOUTS[kind]
    rows = Rows(layout)
    rows.append(events)
    for frames in rows.frames.values():
        row = b"".join(frames)
        for number, records in zip((POINTS, TILES), decode(layout, [row]), strict=True):
            if len(records):
                assert encode(layout, number, records, Groups.of(records.rows)).to_pylist() == [row]


@pytest.mark.parametrize("kind", ["basic", "numbers"])
@settings(max_examples=300, deadline=None)
@given(row=st.binary(max_size=200))
def test_arbitrary_bytes_are_refused_with_a_value_error(kind: str, row) -> None:
    try:
        points, tiles = decode(LAYOUTS[kind], [row])
    except ValueError:
        return
    assert row == b"" or len(points) + len(tiles) > 0


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=30, deadline=None)
@given(events=purchases(most=6), data=st.data())
def test_a_damaged_row_is_refused_or_read_but_never_breaks_anything_else(
    kind: str, events, data
) -> None:
    layout = LAYOUTS[kind]
    rows = Rows(layout)
    rows.append(events)
    rows.compact(data.draw(st.sampled_from([0.5, 1.0])))
    whole = b"".join(next(iter(rows.frames.values())))
    damaged = bytearray(whole)
    for _ in range(data.draw(st.integers(1, 3))):
        damaged[data.draw(st.integers(0, len(whole) - 1))] = data.draw(st.integers(0, 255))
    cut = bytes(damaged[: data.draw(st.integers(0, len(whole)))])
    for row in (bytes(damaged), cut, cut + whole):
        with suppress(ValueError):
            read(layout, [row, whole], 1_767_225_600_000_000)


@pytest.mark.parametrize("kind", ["basic", "numbers"])
@pytest.mark.parametrize("share", [0.0, 1.0], ids=["as it came", "compacted"])
def test_a_row_that_ends_within_a_frame_is_refused(kind: str, share: float) -> None:
    layout = LAYOUTS[kind]
    rows = Rows(layout)
    rows.append(example(3 if share or kind == "basic" else 1))
    if share:
        rows.compact()
    (row,) = (b"".join(frames) for frames in rows.frames.values())
    for length in range(1, len(row)):
        with pytest.raises(ValueError, match="byte 0 of a row"):
            decode(layout, [row[:length]])


@pytest.mark.parametrize("kind", ["basic", "numbers"])
@pytest.mark.parametrize("share", [0.0, 1.0], ids=["as it came", "compacted"])
def test_events_of_the_first_and_of_the_last_year_keep_their_times(kind: str, share: float) -> None:
    layout = LAYOUTS[kind]
    ends = [datetime(1, 1, 1, tzinfo=UTC), datetime.max.replace(tzinfo=UTC)]
    rows = Rows(layout)
    rows.append([{**event, "at": at} for event, at in zip(example(2), ends, strict=True)])
    if share:
        rows.compact()
    (row,) = (b"".join(frames) for frames in rows.frames.values())
    points, _ = decode(layout, [row])
    assert points.column(AT).tolist() == [to_us(at) for at in ends]


def test_a_row_of_format_version_1_is_refused() -> None:
    row = struct.pack("<BBHIqd", 0x11, 0, 1, 16, 0, 1.5)
    for layout in LAYOUTS.values():
        with pytest.raises(ValueError, match=r"format version 3 \(found kind 0x11"):
            decode(layout, [row])


@pytest.mark.parametrize(
    ("count", "growth"),
    [(2, 0), (0, 0), (1, 8), (1, -8)],
    ids=["more", "none", "longer", "shorter"],
)
def test_a_frame_whose_counts_do_not_add_up_is_refused(count: int, growth: int) -> None:
    rows = Rows(LAYOUT)
    rows.append(example(1))
    (row,) = (b"".join(frames) for frames in rows.frames.values())
    kind, pad, _, length = struct.unpack_from("<BBHI", row)
    body = row[8:] + bytes(growth) if growth >= 0 else row[8:growth]
    with pytest.raises(ValueError, match="byte 0 of a row"):
        decode(LAYOUT, [struct.pack("<BBHI", kind, pad, count, length + growth) + body])


def test_a_frame_holds_up_to_65535_records() -> None:
    layout = Layout.of(view_of(("1h",), None, LARGEST_FRAME))
    rows = Rows(layout)
    rows.append(example(LARGEST_FRAME))
    (frames,) = rows.frames.values()
    points, tiles = decode(layout, frames)
    assert (len(points), len(tiles)) == (LARGEST_FRAME, 0)


def test_a_busier_entity_takes_as_many_frames_as_it_needs() -> None:
    layout = Layout.of(view_of(("1s",), None, 4))
    rows = Rows(layout)
    events = example(LARGEST_FRAME + 5, step_us=1_000_000)
    rows.append(events)
    (frames,) = rows.frames.values()
    _, tiles = decode(layout, frames)
    assert int(tiles.column("n").sum()) == len(events)


def test_rows_without_records_are_read_and_compacted_as_empty() -> None:
    points, tiles = decode(LAYOUT, [None, b""])
    assert len(points) == len(tiles) == 0
    assert compact(LAYOUT, [b"", b""]) == [b"", b""]
    assert compact(LAYOUT, []) == []
    assert read(LAYOUT, [None, b""], 0).columns[0] == [0, 0]
    assert read(LAYOUT, [], 0).columns[0] == []


def example(count: int, step_us: int = 1) -> list[dict[str, object]]:
    start = datetime(2026, 1, 1, tzinfo=UTC)
    day = date(2026, 1, 1)
    return [
        {
            "user": "u", "shop": 7, "bit": 0, "amount": 1.5, "tip": None, "quantity": 2,
            "points": 3, "vip": True, "trial": None, "status": "approved", "note": "é",
            "seen_at": start, "back_at": None, "born": day, "due": day,
            "taste": [0.5, -1.0, 2.0], "mood": None,
            "at": start + timedelta(microseconds=place * step_us),
        }
        for place in range(count)
    ]  # fmt: skip
