"""A closed-loop HTTP load: some connections, each asking again as soon as it is answered."""

import asyncio
import socket
import time
from collections.abc import Sequence

import numpy as np
import uvloop


def free_port() -> int:
    """Return a port nothing listens on."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


class _Connection(asyncio.Protocol):
    """One connection; knows just enough HTTP to see where an answer ends."""

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
        head = self._buffer.find(b"\r\n\r\n")
        if head < 0:
            return
        headers = self._buffer[:head].lower()
        length = int(headers.split(b"content-length:")[1].split(b"\r\n")[0])
        if len(self._buffer) < head + 4 + length:
            return
        if not headers.startswith(b"http/1.1 200"):
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
            lambda number=number: _Connection(requests, number * 7919, until, took),
            "127.0.0.1",
            port,
        )
        made.append(connection.done)
    await asyncio.gather(*made)
    return took


def measure(
    port: int, requests: Sequence[bytes], connections: int, seconds: float
) -> tuple[float, float, float]:
    """Return requests per second, and the median and 99th percentile of their time in ms."""
    uvloop.run(_run(port, requests, connections, seconds / 4))  # warm up
    started = time.perf_counter()
    took = uvloop.run(_run(port, requests, connections, seconds))
    elapsed = time.perf_counter() - started
    p50, p99 = np.percentile(took, [50, 99]) * 1000
    return len(took) / elapsed, float(p50), float(p99)


def post(path: str, body: bytes) -> bytes:
    """Return a POST request as bytes."""
    head = f"POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(body)}\r\n\r\n"
    return head.encode() + body
