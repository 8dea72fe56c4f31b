"""How large a row may become by design, whatever its traffic: so many records of so many bytes.

A compacted row has its newest events, half of the record budget of them, and a tile per hop of its
windows (`window.most_tiles`); one within its budget has that many events. An event holds its time
and a value of each column, a tile its span, its number of events and what the aggregations keep.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from math import ceil

from featurestore.definitions.contract import Kind
from featurestore.definitions.expression import Expression
from featurestore.definitions.keeping import TEXT_BYTES, WORD, Held
from featurestore.definitions.measure import Measure
from featurestore.definitions.stream import Stream

MOST_BYTES = 16 * 1024**2
_SPAN_BYTES = 3 * WORD  # of a tile: its first instant, its last, how many events
_KIB = 1024
_FRAMES_BYTES = 48  # of two frames: their headers, and what fills them up to whole words

Kept = tuple[str, tuple[str, ...]]  # what is kept, and of which columns


@dataclass(frozen=True, slots=True)
class RowSize:
    """The largest row of a view.

    Attributes:
        newest: How many events stay as they are.
        tiles: How many tiles there are beside them.
        point_bytes: The size of an event.
        tile_bytes: The size of a tile, at most.
        by_feature: What a tile holds for each feature; several may share it.
        has_text: Whether there are texts among it, which count as 64 bytes each.
        newest_tiles: Whether there may be tiles instead of events among the newest: where a window
            counts events, those that came in bulk stay apart from older ones.
    """

    newest: int
    tiles: int
    point_bytes: int
    tile_bytes: int
    by_feature: Mapping[str, int]
    has_text: bool
    newest_tiles: bool

    @property
    def records(self) -> int:
        """How many records there are."""
        return self.newest + self.tiles

    @property
    def bytes(self) -> int:
        """The length of the row."""
        longest = max(self.point_bytes, self.tile_bytes)
        newest = longest if self.newest_tiles else self.point_bytes
        shared = 2 * (self.point_bytes + self.tile_bytes)  # at most, where records are packed
        return _FRAMES_BYTES + shared + self.newest * newest + self.tiles * longest

    @property
    def problem(self) -> str | None:
        """Say that it is larger than a row may be, of what, and what to do; None if it is not."""
        if self.bytes <= MOST_BYTES:
            return None
        largest = max(self.by_feature, key=lambda name: self.by_feature[name])
        return (
            f"a busy row may become {size_text(self.bytes)}, more than {size_text(MOST_BYTES)}: "
            f"{self.newest:,} events by its record_budget, {self.point_bytes:,} bytes each, and "
            f"{self.tiles:,} tiles by its windows, {self.tile_bytes:,} bytes each, of which "
            f"feature {largest!r} has {self.by_feature[largest]:,}; take fewer or coarser windows, "
            "a smaller n, k, limit or capacity, shorter vectors, or a smaller record_budget"
        )

    def __str__(self) -> str:
        """Write it for people."""
        texts = f" with texts of {TEXT_BYTES} bytes" if self.has_text else ""
        return f"rows up to {size_text(self.bytes)}{texts}"


def row_size(
    stream: Stream, features: Mapping[str, Measure], newest: int, tiles: int, *, newest_tiles: bool
) -> RowSize:
    """Work out the largest row of a view without problems."""
    measures = {name: measure.everything() for name, measure in features.items()}
    inputs = {str(e): e for each in measures.values() for m in each for e in m.inputs}
    held = {name: _held(stream, expression) for name, expression in inputs.items()}
    kept: dict[str, dict[Kept, int]] = {name: _kept(each, held) for name, each in measures.items()}
    once = {what: size for parts in kept.values() for what, size in parts.items()}
    signs = stream.reverses is not None
    return RowSize(
        newest,
        tiles,
        WORD * (1 + signs) + sum(each.bytes for each in held.values()),
        _SPAN_BYTES + sum(once.values()),
        {name: sum(parts.values()) for name, parts in kept.items()},
        any(each.kind is Kind.TEXT for each in held.values()),
        newest_tiles,
    )


def _held(stream: Stream, expression: Expression) -> Held:
    kind, plain = stream.kind_of(expression), stream.columns.get(str(expression))
    assert isinstance(kind, Kind), kind  # the view has no problems
    return Held(kind, plain is None or plain.nullable, stream.size_of(expression))


def _kept(measures: Iterable[Measure], held: Mapping[str, Held]) -> dict[Kept, int]:
    kept: dict[Kept, int] = {}
    for measure in measures:
        parameters = dict(measure.parameters)
        inputs = tuple(map(str, measure.inputs))
        for name, keeps in measure.rule.keeps.items():
            size = keeps([held[each] for each in inputs], parameters)
            kept[name.format(**parameters), inputs] = size
    return kept


def size_text(size: int) -> str:
    """Write a number of bytes for people, rounded up.

    >>> size_text(320), size_text(18_500), size_text(2_345_678)
    ('1 KiB', '19 KiB', '2.3 MiB')
    """
    kib = -(-size // _KIB)
    return f"{kib} KiB" if kib < _KIB else f"{ceil(10 * kib / _KIB) / 10:,} MiB"
