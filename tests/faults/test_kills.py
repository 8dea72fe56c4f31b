"""kill -9 of every process at random moments: afterwards every count and sum is right.

`python -m pytest tests/faults --long -s` kills more than a hundred times.
"""

import os
import random
import signal
import time
from dataclasses import dataclass
from pathlib import Path

import orjson
import pytest
import redis

from tests.conftest import Server
from tests.faults.processes import Flow, kill
from tests.faults.taps import Taps, differences, write_definitions

AOF = ("--appendonly", "yes", "--appendfsync")
DEDUPE = ', dedupe="24h"'


@dataclass
class Figures:
    kills: int = 0
    recovery_s: float = 0.0

    def report(self, what: str, events: int, lost: int, doubled: int) -> None:
        print(
            f"\n{what}: kills survived {self.kills}, events {events}, lost {lost}, "
            f"doubled {doubled}, slowest recovery {self.recovery_s:.1f} s"
        )


def run_to_the_end(folder: Path, definitions: Path, server: Server, *options: str) -> float:
    started = time.monotonic()
    code, _, err = Flow(folder, definitions, server.url, "--until-end", *options).wait(120)
    assert code == 0, err
    return time.monotonic() - started


@pytest.mark.parametrize("sync", ["everysec", "always"])
def test_flows_and_servers_are_killed_and_every_event_counts_once(
    tmp_path: Path, sync: str, *, long: bool
) -> None:
    draw, taps, figures = random.Random(sync), Taps(1, duplicates=0.05), Figures()
    server = Server(tmp_path, *AOF, sync)
    definitions = write_definitions(tmp_path, DEDUPE)
    source = tmp_path / "taps.jsonl"
    options = ("--source", f"taps={source}")
    try:
        while figures.kills < (60 if long else 2 if sync == "everysec" else 1):
            with source.open("ab") as file:
                file.write(taps.lines(3000))
            flow = Flow(tmp_path, definitions, server.url, "--until-end", *options)
            time.sleep(draw.uniform(0.8, 2.2))
            if (figures.kills + (sync == "always")) % 2:
                server.kill()
                server.start()
                _, _, err = flow.wait(90)
                assert flow.process.returncode == 0, err
                figures.kills += 1
            else:
                figures.kills += kill(flow.process.pid)
                flow.wait()
        if long or flow.process.returncode:  # else it has come to its end already
            figures.recovery_s = run_to_the_end(tmp_path, definitions, server, *options)
        lost, doubled = differences(definitions, server.url, taps.sent)
        figures.report(f"flow and server, appendfsync {sync}", len(taps.sent), lost, doubled)
        assert (lost, doubled) == (0, 0)
    finally:
        server.kill()


def test_workers_are_killed_and_started_again_by_their_parent(
    tmp_path: Path, *, long: bool
) -> None:
    draw, taps, figures = random.Random(7), Taps(2), Figures()
    server = Server(tmp_path)
    definitions = write_definitions(tmp_path)
    files = [tmp_path / f"taps-{n}.jsonl" for n in range(2)]
    options = ("--source", f"taps={tmp_path}/taps-*.jsonl", "--processes", "2")
    try:
        while figures.kills < (50 if long else 1):
            for file in files:
                with file.open("ab") as end:
                    end.write(taps.lines(20_000 if long else 3_000))
            flow = Flow(tmp_path, definitions, server.url, "--until-end", *options)
            while flow.process.poll() is None and figures.kills < (50 if long else 1):
                time.sleep(draw.uniform(1.0, 2.5))
                workers = flow.workers()
                figures.kills += bool(workers) and kill(draw.choice(workers))
            code, _, err = flow.wait(90)
            assert code == 0, err
            assert figures.kills == 0 or "worker" in err
        if long:  # a short one has come to its end already
            figures.recovery_s = run_to_the_end(tmp_path, definitions, server, *options)
        lost, doubled = differences(definitions, server.url, taps.sent)
        figures.report("workers", len(taps.sent), lost, doubled)
        assert (lost, doubled) == (0, 0)
    finally:
        server.kill()


def test_workers_end_when_their_parent_is_killed(tmp_path: Path) -> None:
    server = Server(tmp_path)
    definitions = write_definitions(tmp_path)
    try:
        flow = Flow(tmp_path, definitions, server.url, "--processes", "2")
        until = time.monotonic() + 20
        while not (workers := flow.workers()):  # one has no partition to read and ends
            assert time.monotonic() < until
            time.sleep(0.05)
        time.sleep(0.3)
        flow.kill()
        until = time.monotonic() + 20
        while any(Path(f"/proc/{pid}").exists() for pid in workers):
            assert time.monotonic() < until
            time.sleep(0.05)
    finally:
        server.kill()


def test_a_signal_ends_all_workers_with_everything_committed(tmp_path: Path) -> None:
    server, taps = Server(tmp_path), Taps(3)
    definitions = write_definitions(tmp_path)
    try:
        flow = Flow(tmp_path, definitions, server.url, "--processes", "2")
        with redis.Redis.from_url(server.url) as client:
            until = time.monotonic() + 30
            while not client.hlen("{fs:taps}!watermarks"):
                assert time.monotonic() < until
                for event in taps.events(20):
                    client.xadd("{fs:taps}!events", {"event": orjson.dumps(event)})
                time.sleep(0.1)
        flow.process.terminate()
        code, out, err = flow.wait()
        assert code == 0, err
        read = int(out.partition("read ")[2].split()[0])
        with redis.Redis.from_url(server.url) as client:
            assert read == int(client.hget("{fs:taps}!counts", "read"))
            assert 0 < read <= len(taps.sent)
        assert differences(definitions, server.url, taps.sent[:read]) == (0, 0)
    finally:
        server.kill()


def starting(folder: Path, server: Server) -> tuple[Flow, list[int]]:
    """Start a flow of two workers; return them as soon as they are there."""
    source, definitions = folder / "taps.jsonl", write_definitions(folder)
    source.write_bytes(Taps(4).lines(200))
    flow = Flow(folder, definitions, server.url, "--source", f"taps={source}", "--processes", "2")
    until = time.monotonic() + 30
    while len(workers := flow.workers()) < 2:
        assert time.monotonic() < until
        time.sleep(0.01)
    return flow, workers


def test_workers_whose_parent_is_killed_end_without_a_traceback(tmp_path: Path) -> None:
    server = Server(tmp_path)
    flow, _ = starting(tmp_path, server)
    kill(flow.process.pid)
    _, _, err = flow.wait()
    server.kill()
    assert "Traceback" not in err


def test_ctrl_c_ends_workers_that_are_starting_without_a_traceback(tmp_path: Path) -> None:
    server = Server(tmp_path)
    flow, workers = starting(tmp_path, server)
    time.sleep(0.3)
    for pid in (*workers, flow.process.pid):
        os.kill(pid, signal.SIGINT)
    code, _, err = flow.wait()
    server.kill()
    assert code == 0
    assert "Traceback" not in err
