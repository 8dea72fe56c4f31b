"""A source that is slow on purpose, so that something can happen while it is read."""

import time
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from featurestore.contracts.block import Block, JsonLines

LINES = 150


@dataclass
class Trickle:
    """A file of JSON lines, read a few lines at a time with a pause after each."""

    stream: str
    path: str
    pause_s: float
    bounded: bool = True

    def partitions(self) -> list[str]:
        return [self.path]

    def open(self, partition: str, after: int | None) -> "TricklePartition":
        return TricklePartition(self, 0 if after is None else after + 1)


@dataclass
class TricklePartition:
    source: Trickle
    at: int

    def __post_init__(self) -> None:
        self._file = Path(self.source.path).open("rb")  # noqa: SIM115 - `close` closes it
        self._file.seek(self.at)

    def next_block(self, wait_ms: int) -> Block:
        time.sleep(self.source.pause_s)
        lines = list(islice(self._file, LINES))
        now_us, start = time.time_ns() // 1000, self.at
        if not lines:
            return Block(
                self.source.stream, self.source.path, None, start - 1, now_us, finished=True
            )
        events = JsonLines(b"".join(lines), start)
        self.at += len(events.data)
        return Block(self.source.stream, self.source.path, events, events.end, now_us)

    def close(self) -> None:
        self._file.close()
