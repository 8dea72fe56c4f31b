"""Events as other engines get them, and how many windows they must make of them."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa

from benchmarks.harness import data
from benchmarks.peers.rows_of_windows import WINDOWS

_FILE_EVENTS = 100_000


@dataclass(frozen=True)
class Events:
    """Events as other engines get them.

    Attributes:
        folder: Where they are, as JSON lines.
        count: How many.
        windows: How many windows of all users and lengths have any.
    """

    folder: Path
    count: int
    windows: int


def events_in(folder: Path, table: pa.Table, kind: str) -> Events:
    """Write events into some files: with their time as a number, too."""
    folder.mkdir()
    timed = table.append_column("at_us", table["at"].cast(pa.int64()))
    for number, at in enumerate(range(0, len(timed), _FILE_EVENTS)):
        data.write_lines(timed.slice(at, _FILE_EVENTS), folder / f"{number:04}.jsonl")
    return Events(folder, len(table), _windows(timed, kind))


def _windows(timed: pa.Table, kind: str) -> int:
    """Count them; windows are ``tumbling`` or ``sliding``."""
    return sum(
        _pairs(timed, every if kind == "sliding" else length, length)
        for length, every in WINDOWS.values()
    )


def _pairs(timed: pa.Table, every: int, length: int) -> int:
    """Count the pairs of a user and a window; an event is in the `length // every` next ones."""
    user = timed["user_id"].combine_chunks().dictionary_encode().indices.to_numpy()
    number = timed["at_us"].to_numpy() // (every * 1_000_000)
    windows = number[:, None] + np.arange(length // every)
    return len(np.unique(windows + (user.astype(np.int64) << 40)[:, None]))
