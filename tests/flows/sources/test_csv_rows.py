"""Rows of CSV files."""

import csv
import gzip
import io
import tempfile
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from featurestore.errors import SourceError
from flows.sources import csv_rows
from flows.sources.csv_rows import CsvFile

Pairs = list[tuple[int, object]]


def rows_of(text: bytes, after: int | None = None, chunk: int | None = None) -> Pairs:
    """The rows of a text, whole ones as dicts, broken ones as (text, fault)."""
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        if chunk is not None:
            patch.setattr("flows.sources.byte_file.BLOCK", chunk)
        path = Path(folder) / "e.csv"
        path.write_bytes(text)
        found: Pairs = []
        with closing(CsvFile("s", str(path), lambda _: True).open(str(path), after)) as partition:
            while (block := partition.next_block(0)).events is not None:
                rows = block.events
                pairs = [*zip(rows.offsets, rows.batch.to_pylist(), strict=True)]  # type: ignore[union-attr]
                pairs += [(row, (raw, fault)) for row, raw, fault in rows.broken]  # type: ignore[union-attr]
                assert block.end == max(row for row, _ in pairs)
                found += sorted(pairs, key=lambda pair: pair[0])
    return found


cell = st.text(st.sampled_from(list('ab ,"\n;ü')), max_size=6)
tables = st.lists(st.lists(cell, min_size=2, max_size=2), max_size=12)


@given(tables, st.sampled_from(["\n", "\r\n"]), st.integers(1, 40), st.data())
def test_what_python_writes_is_read_wherever_blocks_are_cut(
    table: list[list[str]], newline: str, chunk: int, data: st.DataObject
) -> None:
    file = io.StringIO(newline="")
    csv.writer(file, lineterminator=newline).writerows([["a", "b"], *table])
    expected = [(n, {"a": a, "b": b}) for n, (a, b) in enumerate(table)]
    assert rows_of(file.getvalue().encode(), chunk=chunk) == expected
    if table:
        after = data.draw(st.integers(0, len(table) - 1))
        assert rows_of(file.getvalue().encode(), after, chunk) == expected[after + 1 :]


def test_nothing_is_converted() -> None:
    assert rows_of(b"a,b\n007,\n1e3,null\n") == [
        (0, {"a": "007", "b": ""}),
        (1, {"a": "1e3", "b": "null"}),
    ]


def test_rows_that_do_not_fit_the_header_are_broken_and_the_rest_is_read() -> None:
    assert rows_of(b"a,b\n1,2\n3\n\n4,5,6\n7,8\n9\n") == [
        (0, {"a": "1", "b": "2"}),
        (1, (b"3", "expected 2 columns, got 1")),
        (2, (b"4,5,6", "expected 2 columns, got 3")),
        (3, {"a": "7", "b": "8"}),
        (4, (b"9", "expected 2 columns, got 1")),
    ]


def test_rows_that_are_not_utf8_are_broken_and_the_rest_is_read() -> None:
    assert rows_of(b'a,b\n1,2\n\xff,3\n4\n\xfe\n\xc3\xbc,"x\ny"\n') == [
        (0, {"a": "1", "b": "2"}),
        (1, (b"\xff,3", "byte 0 (0xff) is not UTF-8")),
        (2, (b"4", "expected 2 columns, got 1")),
        (3, (b"\xfe", "byte 0 (0xfe) is not UTF-8")),
        (4, {"a": "ü", "b": "x\ny"}),
    ]


def test_a_quote_that_is_not_closed_costs_its_own_line() -> None:
    assert rows_of(b'a,b\n1,2\n"3,4\n5,6\n7,8\n') == [
        (0, {"a": "1", "b": "2"}),
        (1, (b'"3,4', "a quote is opened and not closed")),
        (2, {"a": "5", "b": "6"}),
        (3, {"a": "7", "b": "8"}),
    ]


def test_a_quote_that_is_not_closed_within_a_block_costs_its_own_line() -> None:
    many = [b"%d,x" % n for n in range(csv_rows.BLOCK // 4)]
    found = rows_of(b'a,b\n1,2\n"3,4\n' + b"\n".join(many))
    assert found[1] == (1, (b'"3,4', "a quote is opened and not closed"))
    assert len(found) == len(many) + 2
    assert found[-1] == (len(many) + 1, {"a": str(len(many) - 1), "b": "x"})


def test_a_quote_inside_a_value_is_a_character() -> None:
    assert rows_of(b'a,b\n5" pipe,x\n6,y\n') == [
        (0, {"a": '5" pipe', "b": "x"}),
        (1, {"a": "6", "b": "y"}),
    ]


def test_a_mark_in_front_of_utf8_is_no_part_of_the_header() -> None:
    assert rows_of(b"\xef\xbb\xbfa,b\n1,2") == [(0, {"a": "1", "b": "2"})]


@pytest.mark.parametrize("text", [b"a,b", b"a,b\n", b'"a","b"\r\n\r\n'])
def test_a_header_alone_is_a_file_without_events(text: bytes) -> None:
    assert rows_of(text) == []


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (b"", "it is empty; its first line must name the columns"),
        (b"\n\n", "it is empty"),
        (b"a,b,a\n1,2,3\n", "column 'a' stands twice in its header"),
        (b"a,\xff\n", "its header is no CSV in UTF-8"),
    ],
)
def test_a_header_that_names_no_columns_is_an_error(text: bytes, message: str) -> None:
    with pytest.raises(SourceError, match=message):
        rows_of(text)


def test_a_file_that_grew_gives_its_new_rows() -> None:
    assert rows_of(b"a\n1\n2") == [(0, {"a": "1"}), (1, {"a": "2"})]
    assert rows_of(b"a\n1\n2\n3\n", after=1) == [(2, {"a": "3"})]


def test_a_file_that_shrank_is_refused() -> None:
    with pytest.raises(SourceError, match="ends before row 2"):
        rows_of(b"a\n1\n2\n", after=2)


def test_only_the_columns_wanted_are_read(tmp_path: Path) -> None:
    path = tmp_path / "e.csv"
    path.write_bytes(b"a,b,c\n1,2,3\n")
    source = CsvFile("s", str(path), lambda name: name != "b")
    with closing(source.open(str(path), None)) as partition:
        block = partition.next_block(0)
    assert block.events.batch.to_pylist() == [{"a": "1", "c": "3"}]  # type: ignore[union-attr]


def test_all_before_the_broken_place_of_a_compressed_file_is_read(tmp_path: Path) -> None:
    path = tmp_path / "e.csv.gz"
    packed = gzip.compress(b"a,b\n" + b"".join(b"%d,%d\n" % (n, n**7) for n in range(60_000)))
    path.write_bytes(packed[: len(packed) // 2])
    seen = 0

    def read_on() -> None:
        nonlocal seen
        with closing(CsvFile("s", str(path), lambda _: True).open(str(path), None)) as partition:
            while True:
                seen += partition.next_block(0).events.batch.num_rows  # type: ignore[union-attr]

    with pytest.raises(SourceError, match=rf"cannot read {path} at byte \d+"):
        read_on()
    assert seen > 10_000
