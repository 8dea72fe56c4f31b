"""From an event accepted over HTTP to its features visible over HTTP, at half the maximum rate."""

import asyncio
import itertools
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import numpy as np
import orjson
import uvloop

from benchmarks.harness import data
from benchmarks.harness.alone import alone
from benchmarks.harness.api import Api, ours
from benchmarks.harness.claim import Row, Sample
from benchmarks.harness.ingest import Flow
from benchmarks.harness.load import request
from benchmarks.harness.machine import Meter
from benchmarks.harness.processes import running
from benchmarks.harness.scale import Scale
from benchmarks.harness.shapes import STANDARD
from benchmarks.harness.store import Store, store

EVENTS = "/v1/streams/payments/events"
BATCH = 200  # events in a request of the load
_SHARE = 0.5
_PAUSE = 0.01  # between two probes


def rows(scale: Scale) -> Iterator[Row]:
    """Find the maximum rate, then measure at half of it."""
    with store() as server, tempfile.TemporaryDirectory() as state:
        flow = Flow(server)
        with ours(server, STANDARD) as api, running(flow.command(state, [])) as process:
            seconds = max(scale.seconds, 1.0)
            door = Door(api, itertools.count(), scale.entities)
            samples, most = [], []
            for _ in range(scale.runs):
                most.append(_most(server, door, seconds))
                pids = {"flow": process.pid, "api": api.pid, "server": server.pid}
                samples.append(_latency(Meter(pids), door, most[-1] * _SHARE, seconds))
    rate = sum(most) / len(most)
    yield Row(
        "freshness",
        "event accepted over HTTP to visible over HTTP, p50",
        "ms",
        samples,
        target="p50 < 25 ms, p99 < 100 ms",
        note=f"at half of {rate:,.0f} events/s, sent {BATCH} at a time",
    )


@dataclass
class Door:
    """The API, as producers and probes use it.

    Attributes:
        api: The API.
        numbers: Makes every event and every probe another one.
        entities: How many users the load is about.
        sent: How many events were accepted so far.
    """

    api: Api
    numbers: "itertools.count[int]"
    entities: int
    sent: int = 0

    async def send(self, connection: "Connection", users: list[str]) -> None:
        """Send a payment of each user."""
        at = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        events = [_payment(next(self.numbers), user, at) for user in users]
        await connection.ask(EVENTS, orjson.dumps(events), 202)
        self.sent += len(users)

    async def send_batch(self, connection: "Connection") -> None:
        """Send some payments of users at random."""
        drawn = np.random.default_rng(next(self.numbers)).integers(0, self.entities, BATCH)
        await self.send(connection, [data.user_id(user) for user in drawn.tolist()])

    @asynccontextmanager
    async def connected(self) -> "AsyncIterator[Connection]":
        """Connect."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.api.port)
        yield Connection(reader, writer)
        writer.close()


@dataclass(frozen=True)
class Connection:
    """A connection to the API."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    async def ask(self, path: str, body: bytes, expected: int = 200) -> bytes:
        """Return the body of the answer.

        Raises:
            RuntimeError: Its status is another one.
        """
        self.writer.write(request(path, body))
        head = await self.reader.readuntil(b"\r\n\r\n")
        length = int(head.lower().partition(b"content-length:")[2].split(b"\r\n")[0])
        answer = await self.reader.readexactly(length)
        if int(head.split(b" ")[1]) != expected:
            raise RuntimeError((head + answer).decode())
        return answer


def _payment(number: int, user: str, at: str) -> dict[str, object]:
    payment = {"event_id": f"e{number:08d}", "user_id": user, "merchant_id": "m0001"}
    return {**payment, "amount": 12.34, "channel": "web", "at": at}


def _most(server: Store, door: Door, seconds: float) -> float:
    """Return how many events per second go in and are applied, as fast as they are taken."""
    flow, before, started = Flow(server), door.sent, time.perf_counter()

    async def flood() -> None:
        async with door.connected() as connection:
            while time.perf_counter() - started < seconds:
                await door.send_batch(connection)

    uvloop.run(_at_once(flood, 4))
    while flow.counted("read") < door.sent:
        time.sleep(0.005)
    return (door.sent - before) / (time.perf_counter() - started)


async def _at_once(work: Callable[[], Awaitable[None]], count: int) -> None:
    await asyncio.gather(*(work() for _ in range(count)))


@dataclass
class _Probing:
    """Probes under a load."""

    door: Door
    rate: float
    until: float
    took_ms: list[float] = field(default_factory=list)

    async def run(self) -> None:
        """Load and probe until it is time."""
        await asyncio.gather(self._load(), self._probe())

    async def _load(self) -> None:
        """Send batches at their times, whether or not the one before was fast."""
        async with self.door.connected() as connection:
            at = time.perf_counter()
            while at < self.until:
                await asyncio.sleep(max(0.0, at - time.perf_counter()))
                await self.door.send_batch(connection)
                at += BATCH / self.rate

    async def _probe(self) -> None:
        """Send an event of a new user, ask for them until it counts."""
        async with self.door.connected() as connection:
            while time.perf_counter() < self.until:
                user = f"probe{next(self.door.numbers)}"
                asked = orjson.dumps({"entities": [{"user_id": user}]})
                await self.door.send(connection, [user])
                accepted = time.perf_counter()
                await _seen(connection, asked)
                self.took_ms.append((time.perf_counter() - accepted) * 1000)
                await asyncio.sleep(_PAUSE)


async def _seen(connection: Connection, asked: bytes) -> None:
    """Ask until the first feature, a count, is not 0."""
    count = 0
    while not count:
        count = orjson.loads(await connection.ask("/v1/features/all", asked))["vectors"][0][0]


def _latency(meter: Meter, door: Door, rate: float, seconds: float) -> Sample:
    probing = _Probing(door, rate, time.perf_counter() + seconds)
    before = door.sent
    spent = meter.measure(lambda: uvloop.run(probing.run()))
    p50, p99 = np.percentile(probing.took_ms, [50, 99])
    also = {"p99 ms": float(p99), "probes": len(probing.took_ms)}
    return Sample(float(p50), spent, door.sent - before, also)


if __name__ == "__main__":
    alone("freshness")
