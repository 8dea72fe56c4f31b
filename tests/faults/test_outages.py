"""Stores that go away, refuse, stall, fill up or come back empty: nothing lost, nothing doubled."""

import os
import resource
import signal
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import redis

from featurestore.errors import StoreBusy, StoreRefused, StoreUnreachable
from featurestore.storage.commit import Durability
from flows.main import Job, run_worker
from flows.sources.standard_input import StandardInput
from flows.summary import Summary
from tests.conftest import Server
from tests.faults.processes import Flow, later, resident_bytes
from tests.faults.proxy import Proxy, cutting
from tests.faults.taps import Taps, differences, write_definitions
from tests.faults.trickle import Trickle

Store = Callable[..., Server]


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    """Start servers that are gone after the test."""
    started: list[Server] = []

    def start(*options: str) -> Server:
        folder = tmp_path / f"server-{len(started)}"
        folder.mkdir()
        started.append(Server(folder, *options))
        return started[-1]

    yield start
    for server in started:
        server.process.send_signal(signal.SIGCONT)
        server.kill()


class Stream:
    """A file of known events, and the definitions to read it with."""

    def __init__(self, folder: Path, seed: int, events: int = 3000, options: str = "") -> None:
        self.folder, self.taps = folder, Taps(seed, duplicates=0.03 if options else 0.0)
        self.definitions, self.file = write_definitions(folder, options), folder / "taps.jsonl"
        self.more(events)

    def more(self, events: int) -> None:
        with self.file.open("ab") as file:
            file.write(self.taps.lines(events))

    def job(self, url: str, **options: Any) -> Job:
        sources = [("taps", str(self.file))]
        return Job(str(self.definitions), sources, url, until_end=True, **options)

    def run(self, url: str, *, pause_s: float = 0.01, **options: Any) -> Summary:
        """Run the flow in this process, with a pause after every few events."""
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(
                "flows.main.parse_source", lambda of, path, *_: Trickle(of.name, path, pause_s)
            )
            patch.setattr("flows.main.BULK_FLUSH_MS", 5)
            return run_worker(self.job(url, **options))

    def wrong(self, url: str) -> tuple[int, int]:
        return differences(self.definitions, url, self.taps.sent)


@pytest.mark.parametrize("seed", range(2))
def test_connections_are_cut_in_the_middle(
    tmp_path: Path, store: Store, capsys: pytest.CaptureFixture[str], seed: int, *, long: bool
) -> None:
    server, stream = (
        store(),
        Stream(tmp_path, seed, 60_000 if long else 5000, options=', dedupe="24h"'),
    )
    proxy = Proxy(server.port, cutting(seed, 200 if long else 8, 300_000))
    try:
        summary = stream.run(proxy.url)
    finally:
        proxy.close()
    print(f"\nconnections cut {proxy.cuts}, events {len(stream.taps.sent)}")
    assert proxy.cuts >= 4
    assert stream.wrong(server.url) == (0, 0)
    assert summary.counts["read"] == len(stream.taps.sent)
    assert f"cannot reach the store at {proxy.url}" in capsys.readouterr().err


def test_a_server_that_restarts_is_waited_for(
    tmp_path: Path, store: Store, capsys: pytest.CaptureFixture[str]
) -> None:
    server, stream = store("--appendonly", "yes"), Stream(tmp_path, 1, 9_000)

    def restart() -> None:
        server.kill()
        time.sleep(0.5)
        server.start()

    timer = later(0.3, restart)
    summary = stream.run(server.url)
    timer.join()
    assert stream.wrong(server.url) == (0, 0)
    assert summary.counts["read"] >= len(stream.taps.sent)
    assert "nothing is lost, trying again for" in capsys.readouterr().err


def test_what_came_through_stdin_outlasts_a_server_that_restarts(
    tmp_path: Path, store: Store
) -> None:
    server, taps, (reader, writer) = store("--appendonly", "yes"), Taps(12), os.pipe()
    definitions = write_definitions(tmp_path)

    def send() -> None:
        with os.fdopen(writer, "wb") as pipe:
            for n in range(120):
                pipe.write(taps.lines(50))
                pipe.flush()
                time.sleep(0.02)
                if n == 80:  # some of it waits for its flush
                    server.kill()
                    server.start()

    thread = threading.Thread(target=send)
    thread.start()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("flows.main.parse_source", lambda of, *_: StandardInput(of.name, reader))
        summary = run_worker(Job(str(definitions), [("taps", "-")], server.url, until_end=True))
    thread.join()
    os.close(reader)
    assert differences(definitions, server.url, taps.sent) == (0, 0)
    assert summary.counts["read"] == len(taps.sent)


def test_a_server_that_stays_away_ends_the_flow_with_the_cause(
    tmp_path: Path, store: Store
) -> None:
    server, stream = store(), Stream(tmp_path, 2)
    stream.run(server.url)
    server.kill()
    with pytest.raises(StoreUnreachable, match=f"cannot reach the store at {server.url}"):
        stream.run(server.url, patience_s=0.5)


def test_a_server_that_is_stopped_is_waited_for(tmp_path: Path, store: Store) -> None:
    server, stream = store(), Stream(tmp_path, 3)
    timers = [
        later(0.2, lambda: server.process.send_signal(signal.SIGSTOP)),
        later(2.0, lambda: server.process.send_signal(signal.SIGCONT)),
    ]
    stream.run(server.url)
    for timer in timers:
        timer.join()
    assert stream.wrong(server.url) == (0, 0)


def test_a_server_out_of_memory_is_waited_for_and_then_named(tmp_path: Path, store: Store) -> None:
    server, stream = store(), Stream(tmp_path, 4)
    with redis.Redis.from_url(server.url) as client:
        client.config_set("maxmemory", "1")
        with pytest.raises(StoreBusy, match="out of memory; raise its maxmemory"):
            stream.run(server.url, patience_s=0.3)
        timer = later(0.5, lambda: client.config_set("maxmemory", "0"))
        stream.run(server.url)
        timer.join()
    assert stream.wrong(server.url) == (0, 0)


def test_a_disk_that_is_full_is_waited_for_and_then_named(tmp_path: Path, store: Store) -> None:
    server, stream = store("--appendonly", "yes", "--appendfsync", "everysec"), Stream(tmp_path, 5)
    stream.run(server.url)
    server.kill()
    log = max(path.stat().st_size for path in (server.folder / "appendonlydir").iterdir())
    limit = max(log + 4000, 100_000)  # bytes that a file may have: the log cannot grow beyond it
    hard = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, hard))
    try:  # Python ignores SIGXFSZ, and so does what it starts
        start_ignoring_signals(server)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
    stream.more(12_000)
    with pytest.raises(StoreBusy, match="cannot write to its disk; free some space there"):
        stream.run(server.url, patience_s=1.0)
    resource.prlimit(server.process.pid, resource.RLIMIT_FSIZE, (hard, hard))
    stream.run(server.url)
    assert stream.wrong(server.url) == (0, 0)


def start_ignoring_signals(server: Server) -> None:
    import subprocess  # noqa: PLC0415 - for one argument

    popen = subprocess.Popen
    try:
        subprocess.Popen = lambda *a, **k: popen(*a, restore_signals=False, **k)  # type: ignore[assignment,misc]
        server.start()
    finally:
        subprocess.Popen = popen  # type: ignore[misc]


def test_an_emptied_store_is_refused_until_it_is_rebuilt(tmp_path: Path, store: Store) -> None:
    server, stream = store(), Stream(tmp_path, 6)
    stream.run(server.url, state=tmp_path / "state")
    with redis.Redis.from_url(server.url) as client:
        client.flushall()
    with pytest.raises(StoreRefused, match="run with --rebuild"):
        stream.run(server.url, state=tmp_path / "state")
    stream.run(server.url, state=tmp_path / "state", rebuild=True)
    assert stream.wrong(server.url) == (0, 0)
    stream.run(server.url, state=tmp_path / "state")


def test_a_server_that_comes_back_empty_is_noticed_by_a_running_flow(
    tmp_path: Path, store: Store
) -> None:
    server, stream = store(), Stream(tmp_path, 7, 12_000)

    def restart_empty() -> None:
        with redis.Redis.from_url(server.url) as client:
            while not client.hlen("{fs:taps}!watermarks"):
                time.sleep(0.01)
        server.kill()
        server.start()

    timer = threading.Thread(target=restart_empty)
    timer.start()
    with pytest.raises(StoreRefused, match="emptied"):
        stream.run(server.url)
    timer.join()


def test_of_two_flows_on_one_store_the_later_wins_and_the_other_says_so(
    tmp_path: Path, store: Store
) -> None:
    server, stream = store(), Stream(tmp_path, 8)
    with redis.Redis.from_url(server.url) as client:
        key = "{fs:taps}!events"
        flows = []
        for number in range(2):
            flows.append(Flow(tmp_path, stream.definitions, server.url))
            until = time.monotonic() + 30
            while client.hlen("{fs:taps}!fence") == 0 or not committed(client, key, number):
                assert time.monotonic() < until
                time.sleep(0.1)
        code, _, err = flows[0].wait()
        assert code == 1
        assert "another flow took over partition" in err
        assert "Traceback" not in err
        flows[1].process.terminate()
        code, _, err = flows[1].wait()
        assert code == 0, err
        sent = client.xlen(key)
        counts = client.hgetall("{fs:taps}!counts")
        assert int(counts[b"applied"]) == sent


def committed(client: Any, key: str, number: int) -> bool:
    """Send an event; tell whether flow `number` has taken over and committed some."""
    event = '{"id": "%d", "user": "u", "shop": 1, "cents": 1, "at": 1700000000}'
    client.xadd(key, {"event": event % time.time_ns()})
    time.sleep(0.1)
    marks = client.hvals("{fs:taps}!fence")
    generation = int(marks[0].partition(b":")[0]) if marks else 0
    return generation > number and client.hlen("{fs:taps}!watermarks") > 0


def test_a_replica_is_promoted_and_nothing_that_was_confirmed_is_lost(
    tmp_path: Path, store: Store
) -> None:
    primary, stream = store(), Stream(tmp_path, 9, 7_000)
    replicas = [store("--replicaof", f"127.0.0.1 {primary.port}") for _ in range(2)]
    clients = [redis.Redis.from_url(replica.url) for replica in replicas]
    for client in clients:
        while client.info("replication")["master_link_status"] != "up":
            time.sleep(0.05)
    proxy = Proxy(primary.port)

    def promote() -> None:
        while not clients[0].hlen("{fs:taps}!watermarks"):
            time.sleep(0.01)
        primary.kill()
        newest = max(range(2), key=lambda n: clients[n].info("replication")["slave_repl_offset"])
        clients[newest].replicaof("NO", "ONE")
        clients[1 - newest].replicaof("127.0.0.1", replicas[newest].port)
        proxy.port, promoted[:] = replicas[newest].port, [replicas[newest]]
        proxy.cut_all()

    promoted: list[Server] = []
    thread = threading.Thread(target=promote)
    thread.start()
    try:
        stream.run(proxy.url, durability=Durability.REPLICATED)
        thread.join()
        stream.more(1000)
        stream.run(proxy.url, durability=Durability.REPLICATED)
    finally:
        proxy.close()
    assert stream.wrong(promoted[0].url) == (0, 0)
    for client in clients:
        client.close()


def test_a_store_slower_than_the_stream_holds_the_stream_back(
    tmp_path: Path, store: Store, *, long: bool, soak_minutes: float
) -> None:
    """Its memory stays flat, and no event is dropped."""
    server, stream, sizes = store(), Stream(tmp_path, 10, 24_000), list[int]()
    until, done = time.monotonic() + (10 * soak_minutes if long else 0), threading.Event()

    def pausing() -> None:
        with redis.Redis.from_url(server.url) as client:
            while not done.wait(0.15):
                client.execute_command("CLIENT", "PAUSE", 100, "WRITE")
                sizes.append(resident_bytes(os.getpid()))

    thread = threading.Thread(target=pausing)
    thread.start()
    try:
        stream.run(server.url, pause_s=0.0)
        while time.monotonic() < until:
            stream.more(15_000)
            stream.run(server.url, pause_s=0.0)
    finally:
        done.set()
        thread.join()
    grown = (max(sizes) - sizes[len(sizes) // 4]) / 1e6
    print(f"\nsoak: {len(stream.taps.sent)} events, {len(sizes)} looks, grown by {grown:.0f} MB")
    assert len(sizes) > 5
    assert grown < (200 if long else 50)  # what it remembers of the events sent is in the former
    assert stream.wrong(server.url) == (0, 0)
