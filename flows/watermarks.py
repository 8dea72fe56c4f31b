"""Watermarks: where each view of a stream resumes each partition."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from featurestore.definitions.view import FeatureView
from featurestore.storage.commands import pack
from featurestore.storage.keys import watermark_field, watermarks_key
from featurestore.storage.wire import Wire
from flows.frontier import Frontier

Position = tuple[int | None, Frontier]
Positions = Mapping[tuple[str, str], Position]  # by stream and partition


@dataclass
class Watermarks:
    """The watermarks of one stream.

    They never fall: while a view that is new reads a stream from its beginning, those beside it
    keep theirs, and take nothing that lies before them.

    Attributes:
        stream: The stream's name.
        views: The views on it.
    """

    stream: str
    views: Sequence[FeatureView]
    _at: dict[bytes, int] = field(default_factory=dict)

    def read(self, wire: Wire, partition: str) -> Position:
        """Return after which offset to resume: where the view that is furthest behind stands.

        A view that is new starts over, and the others with it.
        """
        fields = self._fields(partition)
        found = wire.ask(b"HMGET", watermarks_key(self.stream), *fields)
        assert isinstance(found, list)
        marks = {
            name: mark.decode().split(" ") for name, mark in zip(fields, found, strict=True) if mark
        }
        self._at |= {name: int(offset) for name, (offset, _) in marks.items()}
        if len(marks) < len(fields):
            return None, Frontier()
        offset, frontier = min((int(offset), frontier) for offset, frontier in marks.values())
        return offset, Frontier.decode(frontier)

    def of(self, view: FeatureView, partition: str) -> int:
        """Return up to which offset a view is done with a partition, -1 before the first."""
        return self._at.get(watermark_field(view, partition), -1)

    def lowest(self, partition: str) -> int:
        """Return up to which offset all views are done with a partition, -1 before the first."""
        return min(self._at.get(name, -1) for name in self._fields(partition))

    def move(self, partition: str, end: int, frontier: Frontier) -> list[bytes]:
        """Return the command that moves the watermarks which are behind; none where none are."""
        behind = [name for name in self._fields(partition) if self._at.get(name, -1) < end]
        self._at |= dict.fromkeys(behind, end)
        mark = f"{end} {frontier.encode()}".encode()
        words = [word for name in behind for word in (name, mark)]
        return [pack(b"HSET", watermarks_key(self.stream), *words)] if words else []

    def drop(self, partition: str) -> list[bytes]:
        """Return the command that forgets a partition."""
        return [pack(b"HDEL", watermarks_key(self.stream), *self._fields(partition))]

    def _fields(self, partition: str) -> list[bytes]:
        return [watermark_field(v, partition) for v in self.views] or [partition.encode()]
