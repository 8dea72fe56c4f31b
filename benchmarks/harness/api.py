"""APIs: ours and others over the same rows, and what their answers cost."""

import json
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.harness import data
from benchmarks.harness.claim import Sample
from benchmarks.harness.ingest import Flow, as_parquet
from benchmarks.harness.load import Asks, closed_loop, warm_up
from benchmarks.harness.machine import Meter
from benchmarks.harness.processes import FEATURESTORE, free_port, running
from benchmarks.harness.scale import Scale
from benchmarks.harness.shapes import shaped
from benchmarks.harness.store import Store, store

_STARTED = 1200  # times 50 ms
_BODIES = 500


@dataclass(frozen=True)
class Api:
    """An API that runs.

    Attributes:
        port: Its port.
        pid: Its process.
    """

    port: int
    pid: int

    def ask(self, path: str, body: bytes) -> Any:
        """Return one answer, from JSON."""
        return json.loads(self.answer(path, body))

    def answer(self, path: str, body: bytes) -> bytes:
        """Return one answer."""
        headers = {"Content-Type": "application/json"}
        url = f"http://127.0.0.1:{self.port}{path}"
        with urllib.request.urlopen(urllib.request.Request(url, body, headers), timeout=60) as got:
            answer: bytes = got.read()
        return answer

    def measured(self, server: Store, asks: Asks, connections: int, seconds: float) -> Sample:
        """Ask for some seconds; the figure is requests per second."""
        warm_up(self.port, asks, connections, seconds)
        meter, found = Meter({"api": self.pid, "server": server.pid}), []
        spent = meter.measure(
            lambda: found.append(closed_loop(self.port, asks, connections, seconds))
        )
        (answered,) = found
        also = {"p50 ms": answered.p50, "p99 ms": answered.p99}
        return Sample(answered.rate, spent, answered.count, also)


@contextmanager
def serving(
    command: Sequence[str], port: int, ready: str, environment: Mapping[str, str] | None = None
) -> Iterator[Api]:
    """Run an API, wait until it answers at `ready`, end it afterwards."""
    with running(command, environment) as process:
        for _ in range(_STARTED):
            if process.poll() is not None:
                break
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{port}{ready}", timeout=5).close()
            except urllib.error.HTTPError:
                yield Api(port, process.pid)
                return
            except OSError:
                time.sleep(0.05)
            else:
                yield Api(port, process.pid)
                return
    msg = f"{' '.join(command)} did not answer"
    raise RuntimeError(msg)


@contextmanager
def ours(server: Store, definitions: str) -> Iterator[Api]:
    """Run our API, one process."""
    port = free_port()
    command = [*FEATURESTORE, "serve", definitions, "--port", str(port), "--redis", server.url]
    with serving(command, port, "/readyz") as api:
        yield api


@contextmanager
def uvicorn(app: str, environment: Mapping[str, str]) -> Iterator[Api]:
    """Run an ASGI app on uvicorn with uvloop and httptools, one process."""
    port = free_port()
    command = [sys.executable, "-m", "uvicorn", app, "--port", str(port), "--no-access-log"]
    command += ["--loop", "uvloop", "--http", "httptools", "--log-level", "warning"]
    with serving(command, port, "/", environment) as api:
        yield api


@contextmanager
def trivial(sizes: Mapping[str, int]) -> Iterator[Api]:
    """Run the trivial app, which answers so many bytes, by path."""
    with uvicorn("benchmarks.peers.trivial:app", {"BENCHMARK_ANSWERS": json.dumps(sizes)}) as api:
        yield api


@contextmanager
def filled(scale: Scale, **shape: int) -> Iterator[tuple[Store, str]]:
    """Run a server with the rows of uniform users; return it and the path of the definitions."""
    with tempfile.TemporaryDirectory() as name, store() as server:
        folder = Path(name)
        definitions = shaped(folder, **shape)
        table = data.payments("uniform", scale.events, scale.entities)
        place = as_parquet(table, folder, 1)
        flow = Flow(server, definitions)
        place.run(flow)
        flow.check(place.count)
        yield server, definitions


def lookups(scale: Scale, service: str, entities: int, accept: str = "application/json") -> Asks:
    """Make look-ups of users, other ones in every request."""
    bodies = [
        body([(number * entities + place) * 7919 % scale.entities for place in range(entities)])
        for number in range(max(1, _BODIES // entities))
    ]
    return Asks(f"/v1/features/{service}", bodies, accept)


def body(users: Sequence[int], as_of: str | None = None) -> bytes:
    """Return the body of a look-up."""
    asked: dict[str, object] = {"entities": [{"user_id": data.user_id(user)} for user in users]}
    return json.dumps(asked | ({"as_of": as_of} if as_of else {})).encode()
