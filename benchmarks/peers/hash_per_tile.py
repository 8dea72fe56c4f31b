"""The stingiest layout of windows in Redis: a hash per entity and window, a field per tile.

A field is the tile's number, its value 36 packed bytes: count, total, sum of squares, minimum,
maximum. The server cannot add to packed bytes, so that a writer must read before it writes, and be
the only one that writes to an entity; ours reads nothing, and any worker may write.

Honest to it: a tile that has left its window is not kept, and no expiry is kept for the keys, which
are those of our rows with the window behind. Hops are those of our windows.
"""

import struct

import pyarrow as pa
import redis

from benchmarks.peers.alive_tiles import windows

_TILE = struct.Struct("<Idddd")


def write(client: "redis.Redis", table: pa.Table) -> None:
    """Write the tiles of all windows that are alive at the newest event."""
    pipeline = client.pipeline(transaction=False)
    for window in windows(table):
        for user, tile, one in window.groups():
            packed = _TILE.pack(len(one), one.sum(), (one * one).sum(), one.min(), one.max())
            pipeline.hset(window.key(user), str(tile), packed)
            if len(pipeline) >= 10_000:
                pipeline.execute()
    pipeline.execute()
