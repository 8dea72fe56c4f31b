"""JSON lines in files: one event a line, plain or compressed.

1. An event's offset is the byte its line starts at, in the decompressed text.
2. A large file is several partitions, so that several workers can read it: partition k holds the
   lines that start in its byte range ``[k * size, (k + 1) * size)``. The ranges are fixed, so that
   a longer version of the file has the same partitions and more. Partition 0 is named by the path,
   the others ``path#k``.
3. A last line without a newline may still be being written. It is an event if it is a whole JSON
   value: nothing but white space can follow then. If it is the *beginning* of one, it is left for
   the next run, and stderr says so: taken now, it would be refused, and passed over once it is
   complete. Anything else can never become an event and is handed on to be refused.
4. A run resumes at the first line that starts behind the last position. So files may grow by whole
   lines, or in the middle of one. Where that position is no end of a line any more, the file is not
   the one that was read: what it holds before would be passed over, and stderr says so.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import msgspec

from featurestore.contracts.block import Block, JsonLines
from flows.sources.byte_file import ByteFile, is_compressed, readable
from flows.sources.lines import LineReader, Lines
from flows.sources.source import now_us, say

PARTITION_BYTES = 32 << 20


@dataclass(frozen=True)
class JsonLinesFile:
    """A file of JSON lines.

    Args:
        stream: The stream's name.
        path: The file, absolute and resolved.
        partition_bytes: How many bytes make a partition.
    """

    stream: str
    path: str
    partition_bytes: int = PARTITION_BYTES
    bounded: bool = True

    def partitions(self) -> list[str]:
        """Name the partitions; a compressed file is one, for it can only be read in order."""
        with readable(self.path):
            size = Path(self.path).stat().st_size
        if is_compressed(self.path):
            return [self.path]
        count = max(1, -(-size // self.partition_bytes))
        return [f"{self.path}#{k}" if k else self.path for k in range(count)]

    def open(self, partition: str, after: int | None) -> "JsonLinesPartition":
        """Return a partition, to be read from behind an offset."""
        number = int(partition[len(self.path) + 1 :] or 0)
        begin = number * self.partition_bytes
        until = None if is_compressed(self.path) else begin + self.partition_bytes
        at = max(begin - 1, -1 if after is None else after)
        return JsonLinesPartition(self, partition, max(at, 0), until, after, fresh=at < 0)


class JsonLinesPartition:
    """The lines of a file that start in a range of bytes, block by block.

    Args:
        file: The file.
        name: The partition's name.
        at: Where to start reading; unless it is fresh, the first line is the next one.
        until: Where the range ends; None at the end of the file.
        after: Up to which byte it was read before; None if it was not.
        fresh: Whether the first line starts here.
    """

    def __init__(
        self,
        file: JsonLinesFile,
        name: str,
        at: int,
        until: int | None,
        after: int | None,
        *,
        fresh: bool,
    ) -> None:
        self._stream, self._path, self._name = file.stream, file.path, name
        self._until, self._after = until, after
        self._bytes = ByteFile(file.path, at)
        self._lines = LineReader(self._bytes.read, at)
        self._skip: Callable[[], None] | None = (
            self._lines.skip_mark if fresh else self._lines.skip_line
        )

    def next_block(self, wait_ms: int) -> Block:  # noqa: ARG002 - a file is there, or it is not
        """Return the next lines; behind the last ones, a block that says so."""
        if self._skip is not None:
            self._warn_if_replaced()
            self._skip()
            self._skip = None
        lines = self._lines.next(self._until)
        if lines is None or (lines.open and not self._is_event(lines)):
            end = self._lines.at - 1
            return Block(self._stream, self._name, None, end, now_us(), finished=True)
        events = JsonLines(lines.data, lines.start)
        return Block(self._stream, self._name, events, lines.end, now_us(), lines.open)

    def close(self) -> None:
        """Close the file."""
        self._bytes.close()

    def _warn_if_replaced(self) -> None:
        if self._after == self._lines.at and self._lines.is_in_line():
            say(
                f"{self._path}: it was read up to byte {self._after}, which is in the middle of a "
                "line now, and what stands before is not read again. A file that was read may "
                "grow, but not be replaced; give other events another file name"
            )

    def _is_event(self, last: Lines) -> bool:
        if not last.data.strip() or not begins_json(last.data):
            return bool(last.data.strip())
        say(
            f"{self._path}: the last line (byte {last.start}) has no newline and is no complete "
            "JSON yet; it is left for the next run"
        )
        return False


def begins_json(text: bytes) -> bool:
    r"""Tell whether a text is the beginning of a JSON value, and not a whole one.

    >>> begins_json(b'{"amount": 12.'), begins_json(b'{"amount": 12.5}'), begins_json(b"amount,12")
    (True, False, False)
    """
    return _is_truncated(text) or (not _is_json(text) and _is_truncated(text + b"0"))


def _is_json(text: bytes) -> bool:
    return _fault(text) is None


def _is_truncated(text: bytes) -> bool:
    return "truncated" in (_fault(text) or "")


def _fault(text: bytes) -> str | None:
    try:
        msgspec.json.decode(text)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        return str(error)
    return None
