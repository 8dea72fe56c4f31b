"""A closed-loop HTTP load: some connections, each asking again as soon as it is answered.

Made by `wrk` where it is installed, else by a loop in Python, which takes a core for what `wrk`
does with a fifth of one: servers of a few thousand requests per second then look slower.
"""

import asyncio
import json
import shutil
import subprocess
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import uvloop

_SCRIPT = Path(__file__).with_name("wrk.lua")
_WARM_UP = 0.25  # of the load, in front of it


@dataclass(frozen=True)
class Asks:
    """Requests: one body after the other, sent to one path.

    Attributes:
        path: The path.
        bodies: JSON.
        accept: What answers are to be.
    """

    path: str
    bodies: Sequence[bytes]
    accept: str = "application/json"


@dataclass(frozen=True)
class Answered:
    """How requests were answered.

    Attributes:
        count: How many.
        rate: How many per second.
        p50: The median of their time, ms.
        p99: The 99th percentile.
    """

    count: int
    rate: float
    p50: float
    p99: float


def generator(seconds: float) -> str:
    """Name what makes the load; `wrk` counts in whole seconds."""
    return "wrk" if shutil.which("wrk") and seconds >= 1 else "a loop in Python"


def closed_loop(port: int, asks: Asks, connections: int, seconds: float) -> Answered:
    """Ask for so many seconds.

    Raises:
        RuntimeError: An answer was not 200.
    """
    if generator(seconds) == "wrk":
        return _by_wrk(port, asks, connections, seconds)
    return _by_hand(port, asks, connections, seconds)


def warm_up(port: int, asks: Asks, connections: int, seconds: float) -> None:
    """Ask for a while before anything is measured."""
    _by_hand(port, asks, connections, seconds * _WARM_UP)


def _by_wrk(port: int, asks: Asks, connections: int, seconds: float) -> Answered:
    with tempfile.NamedTemporaryFile(suffix=".json") as file:
        file.write(b"\n".join(asks.bodies))
        file.flush()
        command = ["wrk", "-t1", f"-c{connections}", f"-d{seconds:.0f}s", "--timeout", "30s"]
        command += ["-s", str(_SCRIPT), f"http://127.0.0.1:{port}{asks.path}"]
        command += ["--", file.name, asks.path, asks.accept]
        said = subprocess.run(command, check=True, capture_output=True).stdout
    figures = json.loads(said.splitlines()[-1])
    if figures["errors"]:
        msg = f"{asks.path}: {figures['errors']} of {figures['count']} requests failed"
        raise RuntimeError(msg)
    rate = figures["count"] / figures["seconds"]
    return Answered(figures["count"], rate, figures["p50"], figures["p99"])


def is_whole(answer: bytes) -> bool:
    r"""Tell whether all of an answer has come, with just enough HTTP to see where it ends.

    >>> is_whole(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{")
    False
    """
    head = answer.find(b"\r\n\r\n")
    if head < 0:
        return False
    length = int(answer[:head].lower().split(b"content-length:")[1].split(b"\r\n")[0])
    return len(answer) >= head + 4 + length


def is_good(answer: bytes) -> bool:
    """Tell whether an answer is what was asked for."""
    return answer[:12].lower() == b"http/1.1 200"


class _Connection(asyncio.Protocol):
    """One connection, that asks again once it is answered."""

    def __init__(
        self, requests: Sequence[bytes], start: int, until: float, took: list[float]
    ) -> None:
        self._requests, self._next, self._until, self._took = requests, start, until, took
        self._buffer, self.done = b"", asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport: asyncio.Transport = transport  # type: ignore[assignment]
        self._ask()

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        if not is_whole(self._buffer):
            return
        if not is_good(self._buffer):
            self.done.set_exception(RuntimeError(self._buffer.decode()))
            return
        self._took.append(time.perf_counter() - self._asked)
        self._buffer = b""
        if self._asked < self._until:
            self._ask()
        else:
            self._transport.close()
            self.done.set_result(None)

    def _ask(self) -> None:
        self._asked = time.perf_counter()
        self._transport.write(self._requests[self._next % len(self._requests)])
        self._next += 1


async def _run(
    port: int, requests: Sequence[bytes], connections: int, seconds: float
) -> list[float]:
    took: list[float] = []
    loop, until = asyncio.get_running_loop(), time.perf_counter() + seconds
    made = []
    for number in range(connections):
        _, connection = await loop.create_connection(
            partial(_Connection, requests, number * 7919, until, took),
            "127.0.0.1",
            port,
        )
        made.append(connection.done)
    await asyncio.gather(*made)
    return took


def _by_hand(port: int, asks: Asks, connections: int, seconds: float) -> Answered:
    requests = [request(asks.path, body, asks.accept) for body in asks.bodies]
    started = time.perf_counter()
    took = uvloop.run(_run(port, requests, connections, seconds))
    elapsed = time.perf_counter() - started
    p50, p99 = np.percentile(took, [50, 99]) * 1000
    return Answered(len(took), len(took) / elapsed, float(p50), float(p99))


def request(path: str, body: bytes, accept: str = "application/json") -> bytes:
    """Return a POST request as bytes."""
    lines = [f"POST {path} HTTP/1.1", "Host: localhost", f"Accept: {accept}"]
    lines += ["Content-Type: application/json", f"Content-Length: {len(body)}", "", ""]
    return "\r\n".join(lines).encode() + body
