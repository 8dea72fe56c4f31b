"""Windows in Redis that any worker may write without reading: a hash per entity and window.

A field per tile and statistic, which commands add to: count (``c``), total (``s``) and sum of
squares (``q``) by HINCRBY and HINCRBYFLOAT, event by event; minimum (``l``) and maximum (``h``) as
a script leaves them. That is what to compare with where several workers write, as ours may.

Honest to it: a field is a tile's number to base 36 and one letter, squares come with four decimals,
a tile that has left its window is not kept. Keys are those of our rows with the window behind; they
expire with it, as our rows do.
"""

from collections.abc import Iterator

import numpy as np
import pyarrow as pa

from benchmarks.peers.alive_tiles import Window, windows
from featurestore.storage.commands import pack
from featurestore.storage.wire import Wire

_EVENTS_AT_ONCE = 10_000


def write(url: str, table: pa.Table) -> None:
    """Write all windows."""
    wire = Wire(url)
    for window in windows(table):
        for at in range(0, len(window.users), _EVENTS_AT_ONCE):
            _send(wire, list(_added(window, slice(at, at + _EVENTS_AT_ONCE))))
        _send(wire, list(_extremes(window)))
    wire.close()


def _send(wire: Wire, commands: list[bytes]) -> None:
    wire.send(commands)
    for _ in commands:
        wire.read()


def _added(window: Window, some: slice) -> Iterator[bytes]:
    """Add events, one by one, to what can be added to."""
    chosen = zip(window.users[some], window.tiles[some], window.amounts[some].tolist(), strict=True)
    for user, tile, amount in chosen:
        key, field = _named(user, window, tile)
        yield pack(b"HINCRBY", key, field + b"c", b"1")
        yield pack(b"HINCRBYFLOAT", key, field + b"s", _text(amount))
        yield pack(b"HINCRBYFLOAT", key, field + b"q", _text(round(amount * amount, 4)))


def _extremes(window: Window) -> Iterator[bytes]:
    """Set the least and the greatest of each tile, and let the keys expire."""
    for user, tile, amounts in window.groups():
        key, field = _named(user, window, tile)
        least, greatest = _text(amounts.min()), _text(amounts.max())
        yield pack(b"HSET", key, field + b"l", least, field + b"h", greatest)
        yield pack(b"EXPIRE", key, b"%d" % window.length)


def _named(user: str, window: Window, tile: int) -> tuple[bytes, bytes]:
    return window.key(user), np.base_repr(tile, 36).encode()


def _text(number: float) -> bytes:
    return repr(float(number)).encode()
