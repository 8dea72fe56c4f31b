"""Rows of Parquet files."""

from contextlib import closing
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from featurestore.errors import SourceError
from flows.sources import parquet_rows
from flows.sources.parquet_rows import ParquetFile


def everything(_: str) -> bool:
    return True


def numbers(source: ParquetFile, ends: dict[str, int]) -> dict[str, list[int]]:
    """The values of each partition's rows; moves the positions."""
    found: dict[str, list[int]] = {}
    for name in source.partitions():
        partition, found[name] = source.open(name, ends.get(name)), []
        while (block := partition.next_block(0)).events is not None:
            found[name] += block.events.batch.column("n").to_pylist()  # type: ignore[union-attr]
            assert list(block.events.offsets) == found[name][-len(block.events.offsets) :]
            ends[name] = block.end
        partition.close()
    return found


@given(st.integers(0, 60), st.integers(0, 60), st.integers(1, 30), st.integers(1, 30))
def test_a_row_keeps_its_partition_whatever_the_row_groups_are(
    rows: int, more: int, group: int, size: int
) -> None:
    import tempfile  # noqa: PLC0415 - Hypothesis shares no fixture of a folder

    with tempfile.TemporaryDirectory() as folder:
        path, ends = str(Path(folder) / "e.parquet"), {}
        source = ParquetFile("s", path, everything, partition_rows=size)
        pq.write_table(
            pa.table({"n": pa.array(range(rows), pa.int64())}), path, row_group_size=group
        )
        first = numbers(source, ends)
        longer = pa.table({"n": pa.array(range(rows + more), pa.int64())})
        pq.write_table(longer, path, row_group_size=group + 3)
        second = numbers(ParquetFile("s", path, everything, partition_rows=size), ends)
    for k, name in enumerate(second):
        together = first.get(name, []) + second[name]
        assert together == list(range(k * size, min((k + 1) * size, rows + more)))


def test_a_row_group_is_decoded_once_by_neighbouring_partitions(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "e.parquet"
    pq.write_table(pa.table({"n": range(1000)}), path, row_group_size=1000)
    opened = []

    class Counting(parquet_rows.RowReader):
        def __init__(self, *args) -> None:
            opened.append(args)
            super().__init__(*args)

    monkeypatch.setattr(parquet_rows, "RowReader", Counting)
    source = ParquetFile("s", str(path), everything, partition_rows=64)
    found = numbers(source, {})
    assert [n for part in found.values() for n in part] == list(range(1000))
    assert len(found) == 16
    assert len(opened) == 1


def test_only_the_columns_wanted_are_read(tmp_path: Path) -> None:
    path = tmp_path / "e.parquet"
    pq.write_table(pa.table({"n": [1], "note": ["x"], "card": [{"country": "DE"}]}), path)
    source = ParquetFile("s", str(path), lambda name: name != "note")
    block = source.open(str(path), None).next_block(0)
    assert block.events.batch.to_pylist() == [{"n": 1, "card": {"country": "DE"}}]  # type: ignore[union-attr]


def test_a_file_without_any_column_wanted_still_has_its_rows(tmp_path: Path) -> None:
    path = tmp_path / "e.parquet"
    pq.write_table(pa.table({"n": [1, 2]}), path)
    block = ParquetFile("s", str(path), lambda _: False).open(str(path), None).next_block(0)
    assert block.events.batch.num_rows == 2  # type: ignore[union-attr]


def test_a_block_is_small_whatever_the_row_group(tmp_path: Path) -> None:
    path = tmp_path / "e.parquet"
    pq.write_table(pa.table({"n": range(50_000)}), path, row_group_size=50_000)
    partition = ParquetFile("s", str(path), everything).open(str(path), None)
    sizes = []
    while (block := partition.next_block(0)).events is not None:
        sizes.append(block.events.batch.num_rows)  # type: ignore[union-attr]
    assert sum(sizes) == 50_000
    assert max(sizes) <= parquet_rows.BLOCK_ROWS


def test_a_file_that_is_no_parquet_is_an_error_that_names_it(tmp_path: Path) -> None:
    path = tmp_path / "e.parquet"
    path.write_bytes(b"PAR1, or is it?")
    with pytest.raises(SourceError, match=r"cannot read .*e\.parquet: .*not a parquet file"):
        ParquetFile("s", str(path), everything).partitions()


def test_a_broken_place_is_named_and_all_before_it_is_read(tmp_path: Path) -> None:
    path = tmp_path / "e.parquet"
    table = pa.table({"n": range(90_000)})
    pq.write_table(table, path, row_group_size=30_000, use_dictionary=False)
    at = pq.ParquetFile(path).metadata.row_group(1).column(0).data_page_offset
    text = bytearray(path.read_bytes())
    text[at + 200 : at + 900] = b"\xff" * 700
    path.write_bytes(text)
    seen = 0

    def read_on() -> None:
        nonlocal seen
        with closing(ParquetFile("s", str(path), everything).open(str(path), None)) as partition:
            while True:
                seen += partition.next_block(0).events.batch.num_rows  # type: ignore[union-attr]

    with pytest.raises(SourceError, match=r"cannot read .*e\.parquet at row \d+"):
        read_on()
    assert seen >= parquet_rows.BLOCK_ROWS


def test_a_file_with_fewer_rows_than_were_read_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "e.parquet"
    pq.write_table(pa.table({"n": [1, 2]}), path)
    source = ParquetFile("s", str(path), everything)
    assert source.open(str(path), 1).next_block(0).finished
    with pytest.raises(SourceError, match="ends before row 2"):
        source.open(str(path), 2)
