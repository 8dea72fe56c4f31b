"""Lines: cuts a stream of bytes into blocks of whole lines, in flat memory."""

from collections.abc import Callable
from dataclasses import dataclass, field

BLOCK = 1 << 20
LONGEST_LINE = 64 << 20
KEPT_OF_LONGER = 1 << 16

# Returns the next bytes; b"" at the end; None when there are none right now.
Read = Callable[[], bytes | None]


@dataclass(frozen=True, slots=True)
class Lines:
    """Neighbouring lines.

    Attributes:
        data: Their bytes; every line ends in a newline, but for an open one.
        start: Where they start.
        end: The last byte they cover; more than `data` where a line was cut.
        open: This is the last line of the stream, and it does not end in a newline.
        cut: This is one line that was longer than `LONGEST_LINE`: its beginning, and a remark.
    """

    data: bytes
    start: int
    end: int
    open: bool = False
    cut: bool = False


@dataclass
class LineReader:
    r"""Reads lines from a stream of bytes.

    A line longer than `longest` is cut to its beginning and a remark that makes it no JSON, so
    that it becomes a rejection like any other malformed event and memory stays flat.

    Args:
        read: Gives the bytes, some at a time; about as many become one block.
        at: Where the bytes start.
        longest: How long a line may be.

    >>> chunks = iter([b"one\ntw", b"o\nthr", b"ee", b""])
    >>> reader = LineReader(lambda: next(chunks), at=0)
    >>> reader.next()
    Lines(data=b'one\n', start=0, end=3, open=False, cut=False)
    >>> reader.next()
    Lines(data=b'two\n', start=4, end=7, open=False, cut=False)
    >>> reader.next()
    Lines(data=b'three', start=8, end=12, open=True, cut=False)
    """

    read: Read
    at: int
    longest: int = LONGEST_LINE
    ended: bool = False
    _rest: bytes = b""
    _held: list[bytes] = field(default_factory=list)
    _length: int = 0  # of what is held, and of what was dropped of it

    def next(self, until: int | None = None) -> Lines | None:
        """Return the next lines, None at the end or when no whole line is there right now.

        Args:
            until: Lines that start at or behind this place are left unread.
        """
        if until is not None and self.at >= until:
            return None
        while chunk := self._chunk():
            if b"\n" in chunk:
                return self._whole(chunk, until)
            self._hold(chunk)
        if not self.ended or not self._length:
            return None
        return self._last()

    def skip_line(self) -> None:
        """Go to the next start of a line: behind the next newline from here, or to the end."""
        while chunk := self._chunk():
            found = chunk.find(b"\n") + 1
            self.at += found or len(chunk)
            if found:
                self._rest = chunk[found:]
                return

    def is_in_line(self) -> bool:
        """Tell whether the next byte stands in a line that goes on behind it."""
        chunk = self._chunk() or b""
        self._rest = chunk
        return chunk[:1] not in b"\n" and chunk[1:2] not in b" \t\r\n"

    def skip_mark(self) -> None:
        """Skip the mark that some editors put at the start of UTF-8."""
        chunk = self._chunk() or b""
        mark = 3 if chunk.startswith(b"\xef\xbb\xbf") else 0
        self.at += mark
        self._rest = chunk[mark:]

    def _chunk(self) -> bytes | None:
        if self._rest:
            chunk, self._rest = self._rest, b""
            return chunk
        read = self.read()
        self.ended = read == b""
        return read

    def _hold(self, chunk: bytes) -> None:
        """Keep the beginning of a line; of one that is too long no more than that."""
        self._length += len(chunk)
        if self._length <= self.longest:
            self._held.append(chunk)
        elif len(self._held) != 1 or len(self._held[0]) > KEPT_OF_LONGER:
            self._held = [b"".join([*self._held, chunk])[:KEPT_OF_LONGER]]

    def _whole(self, chunk: bytes, until: int | None) -> Lines:
        first = chunk.index(b"\n") + 1
        if self._length + first > self.longest:
            self._rest = chunk[first:]
            self._hold(chunk[:first])
            return self._last()
        end = self._end(chunk, until)
        self._rest = chunk[end:]
        data = b"".join([*self._held, chunk[:end]])
        return self._taken(data, self._length + end)

    def _end(self, chunk: bytes, until: int | None) -> int:
        """Return where in a chunk its last line ends, that starts before `until`."""
        end = chunk.rfind(b"\n") + 1
        if until is None:
            return end
        over = until - self.at - self._length
        return end if end <= over else chunk.index(b"\n", max(0, over - 1)) + 1

    def _last(self) -> Lines:
        """Return what is held: an open line, or the beginning of one that is too long."""
        data, length = b"".join(self._held), self._length
        if length <= self.longest:
            return self._taken(data, length, is_open=True)
        remark = b" ... the line is cut here: it has %d bytes, and at most %d are read\n"
        cut = data.rstrip(b"\r\n") + remark % (length, self.longest)
        return self._taken(cut, length, cut=True)

    def _taken(
        self, data: bytes, length: int, *, is_open: bool = False, cut: bool = False
    ) -> Lines:
        start, self.at = self.at, self.at + length
        self._held, self._length = [], 0
        return Lines(data, start, self.at - 1, is_open, cut)
