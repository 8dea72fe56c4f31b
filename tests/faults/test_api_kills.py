"""kill -9 of the API while events are sent to it: what it said it took counts exactly once.

A producer that gets no answer cannot know whether its events were taken, so it sends them again:
then they count at least once; with ids and `dedupe` exactly once.
"""

import http.client
import os
import random
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import orjson
import redis

from tests.cluster import wait
from tests.conftest import Server, free_port
from tests.faults.processes import ROOT, Flow, kill
from tests.faults.taps import Taps, differences, write_definitions

BATCH = 20


class Api:
    """A running ``featurestore serve``."""

    def __init__(self, folder: Path, definitions: Path, url: str) -> None:
        self.port = free_port()
        words = ["serve", str(definitions), "--redis", url, "--port", str(self.port)]
        self._command = [sys.executable, "-m", "featurestore", *words]
        self._folder = folder
        self.start()

    def start(self) -> None:
        with (self._folder / "api.log").open("ab") as log:
            self.process = subprocess.Popen(
                self._command,
                cwd=self._folder,
                env={**os.environ, "PYTHONPATH": str(ROOT)},
                stdout=log,
                stderr=log,
            )

    def kill(self) -> None:
        kill(self.process.pid)
        self.process.wait()


class Producer:
    """Sends events until each was taken: what got no 202 is sent again."""

    def __init__(self, api: Api, taps: Taps) -> None:
        self._api, self._taps = api, taps
        self.again = self.taken = 0
        self._connection = self._connect()
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._send)
        self._thread.start()

    def stop(self) -> None:
        self._done.set()
        self._thread.join()
        self._connection.close()

    def _connect(self) -> http.client.HTTPConnection:
        return http.client.HTTPConnection("127.0.0.1", self._api.port, timeout=5)

    def _send(self) -> None:
        while not self._done.is_set():
            body = orjson.dumps(self._taps.events(BATCH))
            while not self._is_taken(body):
                self.again += 1
                time.sleep(0.05)
            self.taken += BATCH

    def _is_taken(self, body: bytes) -> bool:
        try:
            self._connection.request("POST", "/v1/streams/taps/events", body)
            answer = self._connection.getresponse()
            answer.read()
        except (OSError, http.client.HTTPException):
            self._connection.close()
            self._connection = self._connect()
            return False
        return answer.status == 202


def test_the_api_is_killed_and_what_it_took_counts_exactly_once(
    tmp_path: Path, *, long: bool
) -> None:
    lost, doubled, taps, producer = under_kills(tmp_path, ', dedupe="24h"', 30 if long else 1)
    print(
        f"\nthe API: kills survived {30 if long else 1}, events {len(taps.sent)}, lost {lost}, "
        f"doubled {doubled}, batches sent again {producer.again}"
    )
    assert producer.taken == len(taps.sent) > 0
    assert producer.again
    assert (lost, doubled) == (0, 0)


def under_kills(folder: Path, options: str, kills: int) -> tuple[int, int, Taps, Producer]:
    draw, taps = random.Random(kills), Taps(21)
    server, definitions = Server(folder), write_definitions(folder, options)
    api = Api(folder, definitions, server.url)
    flow = Flow(folder, definitions, server.url)
    producer = Producer(api, taps)
    try:
        for _ in range(kills):
            taken = producer.taken
            wait(lambda: producer.taken > taken + 5 * BATCH, 240)  # noqa: B023 - called at once
            time.sleep(draw.uniform(0.0, 0.3))
            api.kill()
            time.sleep(0.1)
            api.start()
        taken = producer.taken
        wait(lambda: producer.taken > taken, 240)
        producer.stop()
        all_committed(server.url)
        flow.process.terminate()
        code, _, err = flow.wait()
        assert code == 0, err
        return *differences(definitions, server.url, taps.sent), taps, producer
    finally:
        producer.stop()
        api.kill()
        flow.kill() if flow.process.poll() is None else None
        server.kill()


def all_committed(url: str) -> None:
    with redis.Redis.from_url(url) as client:
        store: Any = client
        events = store.xlen("{fs:taps}!events")
        wait(lambda: int(store.hget("{fs:taps}!counts", "read") or 0) == events, 240)
