"""Rows of windows in Redis, as other engines write them: plain Python and redis-py alone.

A row is ``w:<user>:<window>:<its end in µs>`` -> count, total, mean, deviation, minimum, maximum.
"""

import struct
from collections.abc import Iterable, Sequence
from math import sqrt

import redis

# By name: the length, and every how much one starts if they slide; seconds.
WINDOWS = {"1m": (60, 10), "1h": (3600, 300), "24h": (86_400, 3600)}
VALUES = struct.Struct("<qddddd")
_BATCH = 2000

# user, end in µs, count, total, sum of squares, minimum, maximum
Window = tuple[str, int, int, float, float, float, float]


def key_of(user: str, window: str, end_us: int) -> str:
    """Return the key of a row."""
    return f"w:{user}:{window}:{end_us}"


def write(client: "redis.Redis", window: str, rows: Iterable[Window]) -> None:
    """Write rows with MSET, so many at a time."""
    batch: dict[str, bytes] = {}
    for user, end_us, *state in rows:
        batch[key_of(user, window, end_us)] = VALUES.pack(*values(state))
        if len(batch) >= _BATCH:
            client.mset(batch)
            batch = {}
    if batch:
        client.mset(batch)


def values(state: Sequence[float]) -> tuple[int, float, float, float, float, float]:
    """Return the features of a state."""
    count, total, squares, smallest, largest = state
    mean = total / count
    return int(count), total, mean, sqrt(max(0.0, squares / count - mean * mean)), smallest, largest
