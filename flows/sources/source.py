"""A source: where the events of a stream come from, and the partitions it is read by.

1. Offsets rise strictly within a partition, and mean the same event in every run: a flow resumes
   behind the last one committed, and a unit that holds an offset already drops the event.
2. A partition is named the same in every run, on every machine that reads the same source.
3. Nothing is skipped silently: what cannot be split into events is handed on for the decoder to
   refuse; what is lost before it is read is said on stderr.
4. A call never waits longer than it is told to, and memory is bounded by the block.
"""

import sys
import time
from typing import Protocol

from featurestore.contracts.block import Block


class Partition(Protocol):
    """One partition of a source, open for reading."""

    def next_block(self, wait_ms: int) -> Block:
        """Return the next events.

        Args:
            wait_ms: How long to wait for events if there are none now.

        Returns:
            A block; without events when none came in time. ``finished`` says that nothing follows:
            it comes with the last events of a bounded partition, or behind them.

        Raises:
            SourceError: The source cannot be read any further; it says where.
        """
        ...

    def close(self) -> None:
        """Let go of what is open."""
        ...


class Source(Protocol):
    """Where the events of a stream come from."""

    @property
    def stream(self) -> str:
        """The stream's name."""
        ...

    @property
    def bounded(self) -> bool:
        """Whether it has an end."""
        ...

    def partitions(self) -> list[str]:
        """Name the partitions, in the order they are best read in."""
        ...

    def open(self, partition: str, after: int | None) -> Partition:
        """Return a partition, to be read from behind an offset; None: from its beginning.

        Raises:
            SourceError: It cannot be read.
        """
        ...


def now_us() -> int:
    """Return the wall clock in microseconds UTC."""
    return time.time_ns() // 1000


def say(line: str) -> None:
    """Tell the user what a flow goes on in spite of; one line on stderr."""
    sys.stderr.write(f"featurestore: {line}\n")
    sys.stderr.flush()
