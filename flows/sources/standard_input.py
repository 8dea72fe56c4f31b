"""JSON lines on stdin: bounded, for it may be closed; handed on as they arrive.

What comes through a pipe has no identity from run to run, so offsets must be larger than in any
earlier run, or an event would be taken for one that was counted already: they start at the wall
clock (in sixteenths of a microsecond) and count lines.

A pipe cannot be read again: what was handed on is kept until it is committed, for a flow that goes
back to its watermark after an outage of the store.
"""

import multiprocessing
import os
import select
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass

from featurestore.contracts.block import Block, Documents
from featurestore.errors import SourceError
from flows.sources.byte_file import readable
from flows.sources.lines import LineReader
from flows.sources.source import Source, now_us, say

NAME = "-"
_AT_ONCE = 1 << 18


@dataclass
class StandardInput:
    """JSON lines on a file descriptor.

    Args:
        stream: The stream's name.
        descriptor: Where to read; stdin.
    """

    stream: str
    descriptor: int = 0
    bounded: bool = True
    _opened: "StandardInputPartition | None" = None

    def partitions(self) -> list[str]:
        """Name the one partition."""
        return [NAME]

    def open(self, partition: str, after: int | None) -> "StandardInputPartition":
        """Return the partition; opened again, it gives again what stands behind `after`.

        Raises:
            SourceError: This is a worker among several, which have no stdin.
        """
        assert partition == NAME
        if self.descriptor == 0 and multiprocessing.parent_process() is not None:
            msg = "stdin can only be read by one process: run it with --processes 1"
            raise SourceError(msg)
        after = -1 if after is None else after
        if self._opened is None:
            first = max(now_us() * 16, after + 1)
            self._opened = StandardInputPartition(self.stream, self.descriptor, first)
        self._opened.go_back(after)
        return self._opened

    def let_go(self, committed: int) -> None:
        """Let go of what is committed, up to an offset."""
        if self._opened is not None:
            self._opened.let_go(committed)


class StandardInputPartition:
    """The lines that arrive, block by block.

    Args:
        stream: The stream's name.
        descriptor: Where to read.
        first: The offset of the first line.
    """

    def __init__(self, stream: str, descriptor: int, first: int) -> None:
        self._stream, self._descriptor, self._next = stream, descriptor, first
        self._kept, self._again = deque[Block](), deque[Block]()
        self._gone = -1  # the last offset that was let go of
        self._wait_ms = 0
        self._poll = select.poll()
        self._poll.register(descriptor, select.POLLIN)
        self._lines = LineReader(self._read, 0)

    def next_block(self, wait_ms: int) -> Block:
        """Return the lines that are there, or arrive in time."""
        if self._again:
            return self._again.popleft()
        block = self._next_block(wait_ms)
        if block.events is not None:
            self._kept.append(block)
        return block

    def go_back(self, after: int) -> None:
        """Give again what was handed on and stands behind an offset."""
        if after < self._gone:
            say(
                f"the store lost events of stream {self._stream!r} that had come through stdin, "
                "which cannot be read again"
            )
        self.let_go(after)
        self._again = self._kept.copy()

    def let_go(self, committed: int) -> None:
        """Let go of what is committed, up to an offset."""
        while self._kept and self._kept[0].end <= committed:
            self._gone = self._kept.popleft().end

    def _next_block(self, wait_ms: int) -> Block:
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


def let_go(sources: Iterable[Source], stream: str, partition: str, committed: int) -> None:
    """Let stdin, if it is that partition, forget what is committed; others can be read again."""
    for source in sources:
        if isinstance(source, StandardInput) and (source.stream, NAME) == (stream, partition):
            source.let_go(committed)


def _documents(data: bytes) -> list[bytes]:
    return [document for line in data.split(b"\n") if (document := line.strip())]
