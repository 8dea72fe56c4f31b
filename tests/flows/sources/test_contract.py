"""What holds for every source: one suite, all of them."""

import gzip
import json
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import redis

from featurestore.contracts.block import Rows
from flows.sources.csv_rows import CsvFile
from flows.sources.json_lines import JsonLinesFile
from flows.sources.parquet_rows import ParquetFile
from flows.sources.redis_stream import RedisStream
from flows.sources.several import Several
from flows.sources.source import Source

EVENTS = [{"user": f"u{n % 5}", "n": n, "text": "x" * (n * 7 % 40)} for n in range(41)]
DOCUMENTS = [json.dumps(event).encode() for event in EVENTS]
ROWS = [{name: str(value) for name, value in event.items()} for event in EVENTS]
Made = tuple[Source, list[object]]


def json_lines(folder: Path, _: str) -> Made:
    path = folder / "e.jsonl"
    path.write_bytes(b"\n\r\n".join(DOCUMENTS) + b"\n")
    return JsonLinesFile("clicks", str(path), partition_bytes=100), list(DOCUMENTS)


def json_lines_gz(folder: Path, _: str) -> Made:
    path = folder / "e.jsonl.gz"
    path.write_bytes(gzip.compress(b"\n".join(DOCUMENTS)))
    return JsonLinesFile("clicks", str(path), partition_bytes=100), list(DOCUMENTS)


def csv_text() -> bytes:
    lines = [b"user,n,text", *(",".join(row.values()).encode() for row in ROWS)]
    return b"\n".join(lines) + b"\n"


def csv(folder: Path, _: str) -> Made:
    (folder / "e.csv").write_bytes(csv_text())
    return CsvFile("clicks", str(folder / "e.csv"), lambda _: True), list(ROWS)


def csv_gz(folder: Path, _: str) -> Made:
    (folder / "e.csv.gz").write_bytes(gzip.compress(csv_text()))
    return CsvFile("clicks", str(folder / "e.csv.gz"), lambda _: True), list(ROWS)


def parquet(folder: Path, _: str) -> Made:
    path = folder / "e.parquet"
    pq.write_table(pa.Table.from_pylist(EVENTS), path, row_group_size=13)
    return ParquetFile("clicks", str(path), lambda _: True, partition_rows=8), list(EVENTS)


def redis_stream(_: Path, url: str) -> Made:
    with redis.Redis.from_url(url) as client:
        for document in DOCUMENTS:
            client.xadd("log", {"event": document})
    return RedisStream("clicks", url, "log"), list(DOCUMENTS)


def several(folder: Path, url: str) -> Made:
    first, second = json_lines(folder, url), parquet(folder, url)
    return Several("clicks", [first[0], second[0]]), first[1] + second[1]


KINDS = [json_lines, json_lines_gz, csv, csv_gz, parquet, redis_stream, several]


@pytest.fixture(params=KINDS, ids=lambda kind: kind.__name__)
def made(request: pytest.FixtureRequest, tmp_path: Path, redis_url: str) -> Made:
    make: Callable[[Path, str], Made] = request.param
    return make(tmp_path, redis_url)


def test_partitions_one_behind_the_other_are_all_events_in_order(made: Made, read_all) -> None:
    source, events = made
    assert read_all(source) == events


def test_offsets_rise_strictly(made: Made, read) -> None:
    source, _ = made
    for name in source.partitions():
        offsets = [offset for offset, _ in read(source, name)]
        assert all(a < b for a, b in pairwise(offsets))


def test_resuming_behind_any_event_gives_exactly_the_rest(made: Made, read) -> None:
    source, _ = made
    for name in source.partitions():
        events = read(source, name)
        for place, (offset, _) in enumerate(events):
            assert read(source, name, offset) == events[place + 1 :]


def test_resuming_behind_any_block_gives_exactly_the_rest(made: Made, read) -> None:
    source, _ = made
    for name in source.partitions():
        partition, seen, everything = source.open(name, None), 0, read(source, name)
        while (block := partition.next_block(50)).events is not None:
            events = block.events
            seen += len(events.offsets) + (len(events.broken) if isinstance(events, Rows) else 0)
            assert read(source, name, block.end) == everything[seen:]
            if block.finished:
                break
        partition.close()


def test_partitions_are_named_the_same_every_time_and_no_two_alike(made: Made) -> None:
    source, _ = made
    names = source.partitions()
    assert names == source.partitions()
    assert len(set(names)) == len(names)


def test_blocks_say_when_and_where_they_were_read(made: Made) -> None:
    source, _ = made
    name = source.partitions()[0]
    partition = source.open(name, None)
    block = partition.next_block(50)
    partition.close()
    assert (block.stream, block.partition) == ("clicks", name)
    assert block.read_us > 1_700_000_000_000_000
