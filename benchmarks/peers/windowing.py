"""The same features in idiomatic Bytewax: `fold_window` per window, and a sink of redis-py.

What it computes: count, total, mean, deviation, minimum, maximum per user and window, of the window
that closed last (24h every hour, 1h every 5 minutes, 1m every 10 seconds if sliding, else tumbling)
and not of the one that ends now.
"""

import struct
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from math import sqrt
from typing import Any

import bytewax.operators as op
import bytewax.operators.windowing as win
import orjson
import redis
from bytewax.connectors.files import FileSource
from bytewax.dataflow import Dataflow
from bytewax.outputs import DynamicSink, StatelessSinkPartition

WINDOWS = {
    "1m": (timedelta(minutes=1), timedelta(seconds=10)),
    "1h": (timedelta(hours=1), timedelta(minutes=5)),
    "24h": (timedelta(hours=24), timedelta(hours=1)),
}
_EPOCH = datetime(2020, 1, 1, tzinfo=UTC)
_VALUES = struct.Struct("<qddddd")
State = tuple[int, float, float, float, float]


def flow(path: str, url: str, kind: str, keep: str = "") -> Dataflow:
    """Return the dataflow.

    Args:
        path: JSON lines.
        url: The server.
        kind: ``sliding`` or ``tumbling``.
        keep: Not empty: keep every window, under its number, instead of the newest.
    """
    made = Dataflow("windowing")
    lines = op.input("read", made, FileSource(path, batch_size=1000))
    events = op.map("decode", lines, decoded)
    keyed = op.key_on("by_user", events, lambda event: event["user_id"])
    clock: Any = win.EventClock(lambda event: event["at"], timedelta(0))
    for name, (length, every) in WINDOWS.items():
        windower: Any = (
            win.SlidingWindower(length, every, _EPOCH)
            if kind == "sliding"
            else win.TumblingWindower(length, _EPOCH)
        )
        folded = win.fold_window(name, keyed, clock, windower, nothing, add, merge)
        op.output(f"write_{name}", op.map(f"row_{name}", folded.down, row(name, keep)), Sink(url))
    return made


def decoded(line: str) -> dict[str, Any]:
    """Decode an event."""
    event: dict[str, Any] = orjson.loads(line)
    event["at"] = datetime.fromisoformat(event["at"])
    return event


def nothing() -> State:
    """Return the state of no events: count, mean, sum of squares about it, minimum, maximum."""
    return 0, 0.0, 0.0, float("inf"), float("-inf")


def add(state: State, event: dict[str, Any]) -> State:
    """Add an event."""
    count, mean, squares, smallest, largest = state
    amount = event["amount"]
    count += 1
    apart = amount - mean
    mean += apart / count
    squares += apart * (amount - mean)
    return count, mean, squares, min(smallest, amount), max(largest, amount)


def merge(left: State, right: State) -> State:
    """Merge two states; sliding windows never ask for it."""
    raise NotImplementedError


def values(state: State) -> tuple[int, float, float, float, float, float]:
    """Return the features."""
    count, mean, squares, smallest, largest = state
    return count, mean * count, mean, sqrt(squares / count), smallest, largest


def row(window: str, keep: str) -> Callable[[tuple[str, tuple[int, State]]], tuple[str, bytes]]:
    """Return what makes a row of a window that closed."""

    def made(item: tuple[str, tuple[int, State]]) -> tuple[str, bytes]:
        user, (number, state) = item
        key = f"w:{user}:{window}:{number}" if keep else f"w:{user}:{window}"
        return key, _VALUES.pack(*values(state))

    return made


def unpacked(stored: bytes) -> tuple[float, ...]:
    """Return the features in a row."""
    return _VALUES.unpack(stored)


def number_of(window: str, end_us: int, kind: str) -> int:
    """Return the number of the window that ends at an instant."""
    length, every = WINDOWS[window]
    step = every if kind == "sliding" else length
    start = datetime.fromtimestamp(end_us / 1e6, UTC) - length
    return (start - _EPOCH) // step


@dataclass(frozen=True)
class Sink(DynamicSink[tuple[str, bytes]]):
    """Sets rows, a pipeline per batch."""

    url: str

    def build(self, step_id: str, worker_index: int, worker_count: int) -> "Partition":  # noqa: ARG002 - Bytewax's signature
        """Connect."""
        return Partition(redis.Redis.from_url(self.url))


@dataclass(frozen=True)
class Partition(StatelessSinkPartition[tuple[str, bytes]]):
    """The sink of a worker."""

    client: "redis.Redis"

    def write_batch(self, items: list[tuple[str, bytes]]) -> None:
        """Write a batch."""
        pipeline = self.client.pipeline(transaction=False)
        for key, stored in items:
            pipeline.set(key, stored)
        pipeline.execute()
