"""An open-loop HTTP load: requests at moments drawn beforehand, whether or not others are answered.

A closed loop waits for an answer before it asks again, so a server that stalls is asked less and
the stall counts once. Here time runs from the moment a request was due, also while it waits for one
of the connections.
"""

import asyncio
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import uvloop

from benchmarks.harness.load import Answered, Asks, is_good, is_whole, request

Floats = npt.NDArray[np.float64]

_TICK = 0.0005  # how exactly moments are kept, s


@dataclass
class _Load:
    """Requests on their way.

    Attributes:
        due: When each is to be sent, rising.
        requests: What is sent, over and over.
        idle: Connections that wait for something to send.
        waiting: When those were due for which no connection was idle.
        took: How long those took that were answered.
        sent: How many were sent.
        failed: An answer that was not 200.
    """

    due: Sequence[float]
    requests: Sequence[bytes]
    idle: "deque[_Connection]" = field(default_factory=deque)
    waiting: deque[float] = field(default_factory=deque)
    took: list[float] = field(default_factory=list)
    sent: int = 0
    failed: str | None = None

    async def run(self) -> None:
        """Send all of them, and wait for the last answer."""
        for at in self.due:
            if (left := at - time.perf_counter()) > 0:
                await asyncio.sleep(max(left, _TICK))
            self._check()
            self.waiting.append(at)
            self.send()
        while len(self.took) < len(self.due):
            self._check()
            await asyncio.sleep(_TICK)

    def _check(self) -> None:
        if self.failed is not None:
            raise RuntimeError(self.failed)

    def send(self) -> None:
        """Send what waits, as far as connections are idle."""
        while self.waiting and self.idle:
            self.sent += 1
            body = self.requests[self.sent % len(self.requests)]
            self.idle.popleft().ask(body, self.waiting.popleft())


class _Connection(asyncio.Protocol):
    """One connection, that asks what is due."""

    def __init__(self, load: _Load) -> None:
        self._load, self._buffer, self._due = load, b"", 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport: asyncio.Transport = transport  # type: ignore[assignment] # of TCP
        self._load.idle.append(self)

    def ask(self, request: bytes, due: float) -> None:
        """Send a request that was due then."""
        self._due = due
        self.transport.write(request)

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        if not is_whole(self._buffer):
            return
        if not is_good(self._buffer):
            self._load.failed = self._buffer.decode()
            return
        self._load.took.append(time.perf_counter() - self._due)
        self._buffer = b""
        self._load.idle.append(self)
        self._load.send()


def open_loop(port: int, asks: Asks, rate: float, connections: int, seconds: float) -> Answered:
    """Ask for so many seconds, at moments that come at random, so many per second.

    Raises:
        RuntimeError: An answer was not 200.
    """
    requests = [request(asks.path, body, asks.accept) for body in asks.bodies]
    pauses = np.random.default_rng(11).exponential(1 / rate, int(rate * seconds))
    took = uvloop.run(_run(port, requests, np.cumsum(pauses), connections))
    p50, p99 = np.percentile(took, [50, 99]) * 1000
    return Answered(len(took), len(took) / float(pauses.sum()), float(p50), float(p99))


async def _run(
    port: int, requests: Sequence[bytes], after: Floats, connections: int
) -> list[float]:
    load, loop = _Load([], requests), asyncio.get_running_loop()
    made = [
        await loop.create_connection(lambda: _Connection(load), "127.0.0.1", port)
        for _ in range(connections)
    ]
    load.due = (time.perf_counter() + after).tolist()
    try:
        await load.run()
    finally:
        for transport, _ in made:
            transport.abort()
        await asyncio.sleep(0)  # they close in the loop's next turn
    return load.took
