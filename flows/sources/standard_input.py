"""JSON lines on stdin: bounded, for it may be closed; handed on as they arrive.

What comes through a pipe has no identity from run to run, so offsets must be larger than in any
earlier run, or an event would be taken for one that was counted already: they start at the wall
clock (in sixteenths of a microsecond) and count lines.
"""

import multiprocessing
import os
import select
from dataclasses import dataclass

from featurestore.contracts.block import Block, Documents
from featurestore.errors import SourceError
from flows.sources.byte_file import readable
from flows.sources.lines import LineReader
from flows.sources.source import now_us

NAME = "-"
_AT_ONCE = 1 << 18


@dataclass(frozen=True)
class StandardInput:
    """JSON lines on a file descriptor.

    Args:
        stream: The stream's name.
        descriptor: Where to read; stdin.
    """

    stream: str
    descriptor: int = 0
    bounded: bool = True

    def partitions(self) -> list[str]:
        """Name the one partition."""
        return [NAME]

    def open(self, partition: str, after: int | None) -> "StandardInputPartition":
        """Return the partition.

        Raises:
            SourceError: This is a worker among several, which have no stdin.
        """
        assert partition == NAME
        if self.descriptor == 0 and multiprocessing.parent_process() is not None:
            msg = "stdin can only be read by one process: run it with --processes 1"
            raise SourceError(msg)
        first = max(now_us() * 16, -1 if after is None else after + 1)
        return StandardInputPartition(self.stream, self.descriptor, first)


class StandardInputPartition:
    """The lines that arrive, block by block.

    Args:
        stream: The stream's name.
        descriptor: Where to read.
        first: The offset of the first line.
    """

    def __init__(self, stream: str, descriptor: int, first: int) -> None:
        self._stream, self._descriptor, self._next = stream, descriptor, first
        self._wait_ms = 0
        self._poll = select.poll()
        self._poll.register(descriptor, select.POLLIN)
        self._lines = LineReader(self._read, 0)

    def next_block(self, wait_ms: int) -> Block:
        """Return the lines that are there, or arrive in time."""
        self._wait_ms = wait_ms
        lines = self._lines.next()
        documents = [] if lines is None else _documents(lines.data)
        offsets = range(self._next, self._next + len(documents))
        self._next += len(documents)
        events = Documents(documents, offsets) if documents else None
        return Block(self._stream, NAME, events, self._next - 1, now_us(), self._lines.ended)

    def close(self) -> None:
        """Leave stdin as it is: it is not ours."""

    def _read(self) -> bytes | None:
        """Return what is there; waits once per block at most, so that time passes for the flow."""
        wait_ms, self._wait_ms = self._wait_ms, 0
        if not self._poll.poll(wait_ms):
            return None
        with readable("stdin"):
            return os.read(self._descriptor, _AT_ONCE)


def _documents(data: bytes) -> list[bytes]:
    return [document for line in data.split(b"\n") if (document := line.strip())]
