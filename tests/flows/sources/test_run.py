"""Sources in a running flow: shares of workers, chains of partitions, runs over grown files."""

import json
import socket
import time
from pathlib import Path

import pytest
import redis

from featurestore.contracts.block import Block, JsonLines
from featurestore.definitions.catalog import load
from featurestore.errors import SourceError
from flows import main
from flows.dataflow import BlockPartition
from flows.main import Job, run_worker, staged
from flows.sources.json_lines import JsonLinesFile
from flows.sources.several import Several
from flows.sources.source import Partition
from flows.stop import Stop

DEFINITIONS = """
from datetime import datetime
from pydantic import BaseModel
from featurestore import Entity, FeatureService, FeatureView, Stream, count

class Click(BaseModel):
    user: str
    at: datetime

clicks = Stream("clicks", contract=Click, event_time="at")
view = FeatureView("v", stream=clicks, entity=Entity("user", keys=["user"]), windows=["1d"],
                   features={"n": count()})
service = FeatureService("s", features=[view])
"""


@pytest.fixture
def definitions(tmp_path: Path) -> str:
    (tmp_path / "features.py").write_text(DEFINITIONS)
    return str(tmp_path / "features.py")


def clicks(start: int, stop: int) -> str:
    events = (
        {"user": f"u{n % 7}", "at": f"2026-01-01T00:00:{n % 60:02d}Z"} for n in range(start, stop)
    )
    return "".join(json.dumps(event) + "\n" for event in events)


def counted(url: str) -> int:
    with redis.Redis.from_url(url) as client:
        return int(client.hget("{fs:clicks}!counts", "applied") or 0)


@pytest.mark.parametrize("workers", [1, 2, 3, 20])
def test_workers_share_neighbouring_partitions_evenly(
    workers: int, tmp_path: Path, definitions: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(JsonLinesFile.__init__, "__defaults__", (500, True))
    for name in ("a", "b"):
        (tmp_path / f"{name}.jsonl").write_text(clicks(0, 50))
    job = Job(definitions, [("clicks", str(tmp_path / "*.jsonl"))], "redis://none", until_end=True)
    catalog = load(definitions)
    shares = [
        [p for feed in main._feeds(job, catalog, w, workers) for p in feed.partitions]
        for w in range(workers)
    ]
    (everything,) = [f.partitions for f in main._feeds(job, catalog, 0, 1)]
    assert len(everything) > 6
    assert [p for share in shares for p in share] == everything
    assert max(map(len, shares)) - min(map(len, shares)) <= 1


def test_workers_share_what_there_was_at_the_start_whatever_comes_meanwhile(
    tmp_path: Path, definitions: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(JsonLinesFile.__init__, "__defaults__", (500, True))
    for name in ("b", "c", "d"):
        (tmp_path / f"{name}.jsonl").write_text(clicks(0, 30))
    given = Job(definitions, [("clicks", str(tmp_path / "*.jsonl"))], "redis://none")
    (job,), catalog = staged(given), load(definitions)
    (before,) = [f.partitions for f in main._feeds(given, catalog, 0, 1) if f.source.bounded]
    shares = []
    for worker in range(3):
        (tmp_path / f"a{worker}.jsonl").write_text(clicks(0, 30))
        (tmp_path / "b.jsonl").write_text(clicks(0, 30 * (worker + 2)))
        feeds = main._feeds(job, catalog, worker, 3)
        shares += [name for feed in feeds for name in feed.partitions]
    assert shares == before


def test_many_files_are_looked_into_once_not_once_for_each_that_is_opened(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = [JsonLinesFile("clicks", str(tmp_path / f"{n}.jsonl")) for n in range(9)]
    for file in files:
        Path(file.path).write_text(clicks(0, 3))
    several, looked = Several("clicks", files), []
    partitions = JsonLinesFile.partitions
    monkeypatch.setattr(JsonLinesFile, "partitions", lambda f: looked.append(f) or partitions(f))
    for name in several.partitions():
        several.open(name, None).close()
    assert len(looked) == 2 * len(files)


def test_a_partition_given_twice_is_an_error_whichever_worker_has_it(
    tmp_path: Path, definitions: str
) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text(clicks(0, 5))
    job = Job(definitions, [("clicks", str(path))] * 2, "redis://none", until_end=True)
    with pytest.raises(SourceError, match=r"stream 'clicks' is given '.*a\.jsonl' twice"):
        main._feeds(job, load(definitions), 1, 2)


def test_a_grown_file_counts_each_line_once(
    tmp_path: Path, definitions: str, redis_url: str
) -> None:
    path = tmp_path / "a.jsonl"
    job = Job(definitions, [("clicks", str(path))], redis_url, until_end=True)
    path.write_text(clicks(0, 1000))
    assert run_worker(job).counts["applied"] == 1000
    assert run_worker(job).counts["read"] == 0
    path.write_text(clicks(0, 1500))
    assert run_worker(job).counts["applied"] == 500
    assert counted(redis_url) == 1500


def test_a_worker_without_partitions_ends_at_once(
    tmp_path: Path, definitions: str, redis_url: str
) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text(clicks(0, 10))
    job = Job(definitions, [("clicks", str(path))], redis_url, until_end=True)
    read = [run_worker(job, worker, 3).counts["read"] for worker in range(3)]
    assert sorted(read) == [0, 0, 10]


def test_all_before_a_broken_place_is_committed(
    tmp_path: Path, definitions: str, redis_url: str
) -> None:
    whole, gone = tmp_path / "a.jsonl", tmp_path / "b.jsonl.gz"
    whole.write_text(clicks(0, 100))
    gone.write_bytes(b"\x1f\x8b but no more than that")
    job = Job(definitions, [("clicks", str(tmp_path / "?.jsonl*"))], redis_url, until_end=True)
    with pytest.raises(SourceError, match=r"cannot read .*b\.jsonl\.gz at byte 0"):
        run_worker(job)
    assert counted(redis_url) == 100


class Log:
    """A source of one block per partition, or of nothing; remembers what it was asked."""

    stream, bounded = "s", True

    def __init__(self, *, empty: bool = False) -> None:
        self.empty = empty
        self.asked: list[object] = []

    def partitions(self) -> list[str]:
        return ["a", "b"]

    def open(self, partition: str, after: int | None) -> Partition:
        self.asked.append((partition, after))
        return self

    def next_block(self, wait_ms: int) -> Block:
        self.asked.append(wait_ms)
        events = None if self.empty else JsonLines(b"1\n", 0)
        return Block("s", "a", events, 1, 0, finished=not self.empty)

    def close(self) -> None:
        self.asked.append("closed")


def test_partitions_of_a_run_are_opened_one_behind_the_other() -> None:
    log, reading = Log(), []
    part = BlockPartition(log, [("a", None), ("b", 7)], Stop(), reading)
    reading.append(part)
    assert [len(part.next_batch()) for _ in range(2)] == [1, 1]
    with pytest.raises(StopIteration):
        part.next_batch()
    assert log.asked == [("a", None), 0, "closed", ("b", 7), 0, "closed"]
    assert reading == []


class Ending(Log):
    """Partitions that end with a block of their own."""

    def next_block(self, wait_ms: int) -> Block:
        ends = self.asked[-1] == wait_ms
        self.asked.append(wait_ms)
        return Block("s", "a", None if ends else JsonLines(b"1\n", 0), 1, 0, finished=ends)


def test_nothing_is_flushed_between_partitions() -> None:
    reading: list[BlockPartition] = []
    part = BlockPartition(Ending(), [("a", None), ("b", None)], Stop(), reading)
    reading.append(part)
    given = [[block.events is not None for block in part.next_batch()] for _ in range(4)]
    assert given == [[True], [], [True], [False]]
    assert part.stop.failure is None


def test_only_one_of_the_idle_waits_and_the_others_come_back_later() -> None:
    first, second, reading = Log(empty=True), Log(empty=True), []
    parts = [BlockPartition(log, [("a", None)], Stop(), reading) for log in (first, second)]
    reading += parts
    for _ in range(8):
        for part in parts:
            part.next_batch()
    assert first.asked[1] == 0
    assert first.asked[-1] == 20
    assert set(second.asked[1:]) == {0}
    assert parts[0].next_awake() is None
    assert parts[1].next_awake() is not None


def test_nobody_waits_while_something_comes() -> None:
    idle, busy, reading = Log(empty=True), Log(), []
    reading += [
        BlockPartition(idle, [("a", None)], Stop(), reading),
        BlockPartition(busy, [("a", None)] * 9, Stop(), reading),
    ]
    for _ in range(8):
        for part in list(reading):
            part.next_batch()
    assert set(idle.asked[1:]) == {0}


def test_a_source_is_waited_for_as_long_as_the_store(
    definitions: str, redis_url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        away = f"redis://127.0.0.1:{unused.getsockname()[1]}/0/clicks"
        job = Job(definitions, [("clicks", away)], redis_url, patience_s=0.7)
        began = time.monotonic()
        with pytest.raises(SourceError, match="has been away for"):
            run_worker(job)
    assert 0.7 <= time.monotonic() - began < 10
    assert "trying again for 0.7 s" in capsys.readouterr().err
