"""Tiles as hashes in Redis keep them: those that are alive at the newest event, with our hops."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from benchmarks.definitions import definitions
from featurestore.storage.keys import row_key, view_tag

LENGTHS_AND_HOPS = {"1m": (60, 1), "1h": (3600, 60), "24h": (86_400, 1200)}  # seconds


_VIEW = definitions[0].views[0]
_TAGS = [view_tag(_VIEW, shard) for shard in range(_VIEW.shards)]


@dataclass(frozen=True)
class Window:
    """The events in a window, in order of time.

    Attributes:
        name: Of the window.
        length: In seconds.
        users: Whose event.
        tiles: The number of its tile since 1970.
        amounts: What is aggregated.
    """

    name: str
    length: int
    users: Any
    tiles: Any
    amounts: Any

    def key(self, user: str) -> bytes:
        """Return the key of a user's hash: that of our row, and the window."""
        return b"%b:%b" % (row_key(_TAGS, user.encode()), self.name.encode())

    def groups(self) -> Iterator[tuple[str, int, Any]]:
        """Return every user's tiles: the user, the tile, the amounts in it."""
        order = np.lexsort((self.tiles, self.users))
        users, tiles, amounts = self.users[order], self.tiles[order], self.amounts[order]
        new = np.ones(len(users), dtype=bool)
        new[1:] = (users[1:] != users[:-1]) | (tiles[1:] != tiles[:-1])
        starts = np.flatnonzero(new)
        for start, end in zip(starts, np.append(starts[1:], len(users)), strict=True):
            yield users[start], int(tiles[start]), amounts[start:end]


def windows(table: pa.Table) -> Iterator[Window]:
    """Return the windows at the newest event."""
    at = table["at"].cast(pa.int64()).to_numpy() // 1_000_000
    users, amounts = table["user_id"].to_numpy(zero_copy_only=False), table["amount"].to_numpy()
    for name, (length, hop) in LENGTHS_AND_HOPS.items():
        alive = at > at.max() - length
        yield Window(name, length, users[alive], at[alive] // hop, amounts[alive])
