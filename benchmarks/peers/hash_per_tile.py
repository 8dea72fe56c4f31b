"""The usual layout of windows in Redis: a hash per entity and window, a field per tile.

Honest to it: a field is the tile's number and 36 packed bytes (count, total, sum of squares,
minimum, maximum), a tile that has left its window is not kept, and keys are short. Hops are those
of our windows.
"""

import struct
from typing import Any

import numpy as np
import pyarrow as pa
import redis

_TILE = struct.Struct("<Idddd")
_WINDOWS = {"1m": (60, 1), "1h": (3600, 60), "24h": (86_400, 1200)}  # length and hop, s


def write(client: "redis.Redis", table: pa.Table) -> None:
    """Write the tiles of all windows that are alive at the newest event."""
    at = table["at"].cast(pa.int64()).to_numpy() // 1_000_000
    users, amounts = table["user_id"].to_numpy(zero_copy_only=False), table["amount"].to_numpy()
    for name, (length, hop) in _WINDOWS.items():
        alive = at > at.max() - length
        _write(client, name, (users[alive], at[alive] // hop, amounts[alive]))


def _write(client: "redis.Redis", window: str, events: tuple[Any, Any, Any]) -> None:
    users, tiles, amounts = events
    order = np.lexsort((tiles, users))
    users, tiles, amounts = users[order], tiles[order], amounts[order]
    new = np.ones(len(users), dtype=bool)
    new[1:] = (users[1:] != users[:-1]) | (tiles[1:] != tiles[:-1])
    pipeline = client.pipeline(transaction=False)
    starts = np.flatnonzero(new)
    for start, end in zip(starts, np.append(starts[1:], len(users)), strict=True):
        one = amounts[start:end]
        packed = _TILE.pack(len(one), one.sum(), (one * one).sum(), one.min(), one.max())
        pipeline.hset(f"{users[start]}:{window}", str(tiles[start]), packed)
        if len(pipeline) >= 10_000:
            pipeline.execute()
    pipeline.execute()
