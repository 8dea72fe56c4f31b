"""JSON events as lines that are decoded many at a time."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from featurestore.contracts.block import Documents, JsonLines, Packed
from featurestore.contracts.fixed_text import Ints, Mask
from featurestore.contracts.offsets import as_array

_NEWLINE, _RETURN, _OPEN, _CLOSE = (np.uint8(ord(letter)) for letter in "\n\r{}")
_DEEPEST = 199  # pydantic's JSON parser goes no deeper than 200
_SHORT = 2 * _DEEPEST  # shorter documents cannot be as deep, nor have numbers that long
_LONG_NUMBER = re.compile(rb"[0-9]{4000}")  # pydantic's JSON parser takes 4,300 digits


@dataclass(frozen=True)
class Lines:
    """JSON documents one behind the other, with a byte between them.

    Attributes:
        data: The bytes they stand in.
        begins: Where each begins.
        ends: Where each ends.
        offsets: Their offsets.
        even: Whether the bytes between the documents are line ends and no document has one.
        events: The events as they came.
    """

    data: bytes
    begins: Ints
    ends: Ints
    offsets: Any
    even: bool
    events: JsonLines | Documents | Packed

    @classmethod
    def of(cls, events: JsonLines | Documents | Packed) -> "Lines":
        r"""Find the documents.

        >>> lines = Lines.of(JsonLines(b'{"a": 1}\r\n\n{"a": 2}\n', start=100))
        >>> lines.offsets.tolist(), [lines[0], lines[1]]
        ([100, 111], [b'{"a": 1}', b'{"a": 2}'])
        """
        if isinstance(events, Documents):
            return cls._of_documents(events)
        if isinstance(events, Packed):
            return cls._of_packed(events)
        lines = cls._of_lines(events)
        # Lines with white space around them are rare, and what is blank is for Python to say.
        return lines if lines.closed.all() else cls._of_documents(events)

    @classmethod
    def _of_lines(cls, events: JsonLines) -> "Lines":
        letters = np.frombuffer(events.data, np.uint8)
        newlines = np.flatnonzero(letters == _NEWLINE)
        begins = np.concatenate([[0], newlines + 1])
        ends = np.concatenate([newlines, [len(letters)]])
        some = ends > begins
        begins, ends = begins[some], ends[some]
        ends = ends - (letters[ends - 1] == _RETURN)
        return cls(events.data, begins, ends, begins + events.start, True, events)  # noqa: FBT003

    @classmethod
    def _of_packed(cls, events: Packed) -> "Lines":
        newlines = np.count_nonzero(np.frombuffer(events.data, np.uint8) == _NEWLINE)
        even = bool(newlines == len(events.begins))
        offsets = as_array(events.offsets)
        return cls(events.data, events.begins, events.ends, offsets, even, events)

    @classmethod
    def _of_documents(cls, events: JsonLines | Documents) -> "Lines":
        documents = events.documents
        data = b"\n".join(documents)
        lengths = np.fromiter(map(len, documents), np.int64, len(documents))
        ends = np.cumsum(lengths + 1) - 1
        even = data.count(b"\n") == len(documents) - 1
        return cls(data, ends - lengths, ends, as_array(events.offsets), even, events)

    def __len__(self) -> int:
        return len(self.begins)

    def __getitem__(self, place: int) -> bytes:
        """One document."""
        return self.data[self.begins[place] : self.ends[place]]

    @cached_property
    def closed(self) -> Mask:
        """Which documents begin and end as an object does; others may run into the next line."""
        if not len(self):
            return np.zeros(0, np.bool_)
        letters = np.frombuffer(self.data + b" ", np.uint8)
        full = self.ends > self.begins
        opened = letters[self.begins] == _OPEN
        closed: Mask = full & opened & (letters[self.ends - 1] == _CLOSE)
        return closed

    def chunk(self, first: int, last: int) -> bytes | None:
        """Return neighbours to decode in one go, None when each must be looked at alone."""
        if not self.even or not self.closed[first:last].all():
            return None
        data = self.data[self.begins[first] : self.ends[last - 1]]
        if not data.isascii() and not _is_text(data):
            return None
        long = self.ends[first:last] - self.begins[first:last] > _SHORT
        places = (first + np.flatnonzero(long)).tolist()
        return data if not any(_is_extreme(self[place]) for place in places) else None

    def plain(self, first: int, last: int) -> Sequence[bytes | None]:
        """Return neighbours one by one, None in the place of those that only pydantic may judge."""
        documents = [self[place] for place in range(first, last)]
        return [None if not _is_text(d) or _is_extreme(d) else d for d in documents]


def _is_text(data: bytes) -> bool:
    # A struct skips what it does not know without a look at its encoding; pydantic looks.
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True


def _is_extreme(document: bytes) -> bool:
    # Likewise, pydantic's parser has limits for what a struct would skip.
    if len(document) <= _SHORT:
        return False
    deep = document.count(b"[") + document.count(b"{") > _DEEPEST
    return deep or _LONG_NUMBER.search(document) is not None
