r"""Frames: events and tiles as bytes. The one place that knows the format.

A row is a sequence of frames in any order, little-endian; format version 3. An event of numbers is
a frame by itself, a bare one: the words of its record, the first of which is ``time << 5 | 3``, or
half as many bytes for each but the first (`narrow`). 59 bits hold any instant of the years 1 to
9999. Other frames are::

    ┌──────────────── header, 8 bytes ────────────────┐
    │ kind │ pad │  n  │      length                  │  n records            heap     pad
    │  u8  │ u8  │ u16 │       u32                    │  n x w words of 8 B │ bytes  │ zeros
    └──────────────────────────────────────────────────┘

``kind``    0x21 points, 0x22 tiles; 0x24 compacted, 0x25 compacted and packed: such a frame holds
            others (`packing`), has no ``n``, and stands at the start of its row only.
``length``  bytes after the header: records, heap and pad.
``pad``     how many bytes at the end mean nothing: they fill the heap up to whole words, and make
            a compacted row's length tell its level (`levels`).

A record is one 64-bit word per field of `Layout.point_fields` or `Layout.tile_fields`, of a vector
one per component: an int64, a float64, or the number of bytes its value has in the heap (-1: a
missing text): a text, a list of 64-bit numbers, the texts of a list end to end (their sizes are the
list in the field before), or the bytes of a sketch. The heap holds those values field by field,
record by record. Missing values are those of `arrays`.

A row belongs to one version of a view, so its frames do not describe their fields.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate
from typing import Any, cast

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from featurestore.aggregation.accumulators import State, StateField, Wire
from featurestore.aggregation.arrays import (
    NULL,
    BytesArray,
    Floats,
    Ints,
    Ragged,
    Values,
    bytes_array,
    codes_of,
)
from featurestore.aggregation.gathering import FEW, WIDE, gather
from featurestore.aggregation.groups import Groups
from featurestore.aggregation.headers import (
    EVENT,
    KIND_BITS,
    POINTS,
    TILES,
    damaged,
    frames_of,
)
from featurestore.aggregation.layout import AT, HEADER_BYTES, WORD_BYTES, Layout, words_of
from featurestore.aggregation.narrow import events, wide_events
from featurestore.aggregation.plain import plain
from featurestore.aggregation.records import Records

LARGEST_FRAME = 65_535  # records
_SIZES = ".sizes"  # ends the name of the field with the sizes of the texts in the next one
_NUMBERS = {Wire.RAGGED: np.uint64, Wire.INTS: np.int64, Wire.FLOATS: np.float64}
_NOTHING = pa.scalar(b"", pa.large_binary())
_PADS = pa.array([bytes(pad) for pad in range(WORD_BYTES)], pa.large_binary())


def encode(layout: Layout, kind: int, records: Records, groups: Groups) -> BytesArray:
    """Write one frame for each group of records, which has `LARGEST_FRAME` records at most.

    Args:
        layout: The view's layout.
        kind: `POINTS` or `TILES`.
        records: Events or tiles.
        groups: Which of them belong together.

    Returns:
        The frames, as an array of bytes; bare events, where they are.

    Cost: about 50 ns per frame and 5 ns per word; with text or sets 0.2 µs more per frame.
    """
    if not len(records):
        return []
    fields = _fields(layout, kind)
    columns = [_Column.of(field, records) for field in fields]
    heaps = [column for column in columns if column.heap is not None]
    matrix = _matrix(fields, columns)
    if heaps:
        return _frames_with_heap(kind, matrix, heaps, groups)
    if kind == TILES:
        return _fixed_frames(kind, matrix, groups)
    return (
        events(matrix, layout.floats, groups) if layout.is_packed else wide_events(matrix, groups)
    )


def encode_rows(layout: Layout, kind: int, records: Records) -> BytesArray:
    """Write the frames of records sorted by row.

    Returns:
        For each row that has records all its frames, end to end; a huge row has several.
    """
    groups = Groups.of(records.rows, np.arange(len(records)) // LARGEST_FRAME)
    frames = encode(layout, kind, records, groups)
    rows = Groups.of(records.rows[groups.starts])
    _, offsets, data = frames.buffers()
    places = np.frombuffer(offsets, dtype=np.int64)
    return bytes_array(places[np.append(rows.starts, len(groups))], data)


def words_in(layout: Layout, kind: int, records: Records) -> Ints:
    """Return the words of events or tiles, a row each; values that take a heap are left out."""
    fields = _fields(layout, kind)
    return _matrix(fields, [_Column.of(field, records) for field in fields])


def decode(layout: Layout, rows: Sequence[bytes | None]) -> tuple[Records, Records]:
    """Read rows as (points, tiles), sharing their words; a row that is None has no records.

    Raises:
        ValueError: The bytes are no frames of this version of the view: their kinds, counts and
            lengths do not add up. Numbers that are wrong in themselves are not found out.
    """
    frames = [plain(layout, row) if row else b"" for row in rows]
    if len(rows) > FEW and not layout.has_heap and layout.point_words <= WIDE:
        fields = {EVENT: layout.point_fields, TILES: layout.tile_fields}
        gathered = gather(frames, {kind: words_of(of) for kind, of in fields.items()})
        if gathered is not None:
            bare, spans = (_fixed(of, *gathered[kind]) for kind, of in fields.items())
            return _with_times(bare), spans
    points = _Gathered(layout.point_fields)
    tiles = _Gathered(layout.tile_fields)
    for number, row in enumerate(frames):
        for at, kind, count, body in frames_of(row, layout.bare_bytes):
            (tiles if kind == TILES else points).add(number, at, count, body)
    texts = [*points.texts(), *tiles.texts()]
    codes, words = codes_of(texts) if texts else ([], [])
    shared = iter(codes)
    found = points.records(shared, tuple(words))
    return _with_times(found) if layout.bare_bytes else found, tiles.records(shared, tuple(words))


def _fields(layout: Layout, kind: int) -> Sequence[StateField]:
    return layout.point_fields if kind == POINTS else layout.tile_fields


def _with_times(bare: Records) -> Records:
    """Take the times of bare events out of their first words."""
    bare.state[AT] = bare.column(AT).view(np.int64) >> KIND_BITS
    return bare


@dataclass(frozen=True, slots=True)
class _Column:
    """One field of many records: a word each, and for text and sets the heap behind them."""

    words: Ints
    heap: memoryview | None = None

    @classmethod
    def of(cls, field: StateField, records: Records) -> "_Column":
        column = records.state[field.name.removesuffix(_SIZES)]
        if isinstance(column, Ragged) and field.wire is Wire.SIZES:
            return cls._of_sizes(column, records.words)
        if isinstance(column, Ragged) and field.wire is Wire.TEXTS:
            return cls._of_texts(column, records.words)
        if isinstance(column, Ragged):
            return cls(column.lengths * WORD_BYTES, memoryview(column.numbers.tobytes()))
        if field.wire is Wire.BYTES:
            return cls._of_bytes(cast("list[bytes]", column.tolist()))
        if field.wire is Wire.TEXT:
            return cls._of_text(column.astype(np.int64), records.words)
        return cls(column.view(np.int64))

    @classmethod
    def _of_text(cls, codes: Ints, words: Sequence[bytes]) -> "_Column":
        lengths = np.array([*(len(word) for word in words), -1], dtype=np.int64)
        places = np.where(codes == NULL, len(words), codes)
        taken = pa.array([*words, b""], pa.large_binary()).take(places)
        _, _, data = taken.buffers()
        size = int(np.maximum(lengths[places], 0).sum())
        return cls(lengths[places], memoryview(data)[:size] if data else memoryview(b""))

    @classmethod
    def _of_bytes(cls, values: Sequence[bytes]) -> "_Column":
        lengths = np.array([len(value) for value in values], dtype=np.int64)
        return cls(lengths, memoryview(b"".join(values)))

    @classmethod
    def _of_sizes(cls, texts: Ragged, words: Sequence[bytes]) -> "_Column":
        sizes = np.array([*(len(word) for word in words), 0], dtype=np.int64)[texts.numbers]
        return cls(texts.lengths * WORD_BYTES, memoryview(sizes.tobytes()))

    @classmethod
    def _of_texts(cls, texts: Ragged, words: Sequence[bytes]) -> "_Column":
        each = cls._of_text(texts.numbers.astype(np.int64), words)
        bounds = np.concatenate([[0], np.cumsum(each.words)])
        ends = np.cumsum(texts.lengths)
        return cls(bounds[ends] - bounds[ends - texts.lengths], each.heap)

    def values(self, groups: Groups) -> BytesArray:
        """The values of each group, end to end."""
        sizes = np.concatenate([[0], np.cumsum(np.maximum(self.words, 0))])
        return bytes_array(sizes[np.append(groups.starts, len(self.words))], self.heap)


def _matrix(fields: Sequence[StateField], columns: Sequence[_Column]) -> Ints:
    matrix = np.empty((len(columns[0].words), words_of(fields)), dtype=np.int64)
    for words, column in zip(_columns(fields, matrix), columns, strict=True):
        words[:] = column.words
    return matrix


def _fixed_frames(kind: int, matrix: Ints, groups: Groups) -> BytesArray:
    sizes, width = groups.sizes, matrix.shape[1]
    starts = groups.starts * width + np.arange(len(groups))
    words = np.empty(matrix.size + len(groups), dtype=np.int64)
    is_record = np.ones(len(words), dtype=bool)
    is_record[starts] = False
    words[starts] = _header_words(kind, sizes, sizes * width * WORD_BYTES)
    words[is_record] = matrix.ravel()
    return bytes_array(np.append(starts, len(words)) * WORD_BYTES, words)


def _frames_with_heap(
    kind: int, matrix: Ints, heaps: Sequence[_Column], groups: Groups
) -> BytesArray:
    row_bytes = matrix.shape[1] * WORD_BYTES
    records = bytes_array(np.append(groups.starts, len(matrix)) * row_bytes, matrix)
    values = [column.values(groups) for column in heaps]
    on_heap = np.sum([np.asarray(pc.binary_length(each)) for each in values], axis=0)
    pads = -on_heap % WORD_BYTES
    lengths = groups.sizes * row_bytes + on_heap + pads
    headers = _header_words(kind, groups.sizes, lengths, pads)
    header = bytes_array(np.arange(len(groups) + 1) * HEADER_BYTES, headers)
    return pc.binary_join_element_wise(header, records, *values, _PADS.take(pads), _NOTHING)


def _header_words(kind: int, counts: Ints, lengths: Ints, pads: Ints | int = 0) -> Ints:
    """Return frame headers, each as one word."""
    return kind | pads << 8 | counts << 16 | lengths << 32


class _Gathered:
    """Frames of one kind out of many rows, on their way to columns."""

    def __init__(self, fields: Sequence[StateField]) -> None:
        self._fields = fields
        self._row_bytes = words_of(fields) * WORD_BYTES
        self._has_heap = any(field.wire.on_heap for field in fields)
        self._rows: list[int] = []
        self._places: list[int] = []
        self._counts: list[int] = []
        self._records: list[memoryview] = []
        self._heaps: list[memoryview] = []

    def add(self, row: int, at: int, count: int, body: memoryview) -> None:
        split = count * self._row_bytes
        if split > len(body) or (split < len(body) and not self._has_heap):
            raise ValueError(damaged(at, f"{count} records in {len(body)} bytes"))
        self._rows.append(row)
        self._places.append(at)
        self._counts.append(count)
        self._records.append(body[:split])
        self._heaps.append(body[split:])

    def texts(self) -> list[BytesArray]:
        """The text columns, as arrays of bytes."""
        return [
            _binary(self._text_sizes(place), self._values(place))
            for place, field in enumerate(self._fields)
            if field.wire in (Wire.TEXT, Wire.TEXTS)
        ]

    def _text_sizes(self, place: int) -> Ints:
        """Return how long each text of a field is; those of lists stand in the field before."""
        if self._fields[place].wire is Wire.TEXT:
            return self._columns[place]
        sizes = np.frombuffer(self._values(place - 1), dtype=np.int64)
        self._check_sizes(place, sizes)
        return sizes

    def _check_sizes(self, place: int, sizes: Ints) -> None:
        """Refuse lists of texts whose sizes do not add up to what is there of them."""
        counts = self._columns[place - 1] // WORD_BYTES
        within = (sizes >= 0) & (sizes <= max((len(heap) for heap in self._heaps), default=0))
        ends = np.cumsum(counts)
        bounds = np.concatenate([[0], np.cumsum(np.where(within, sizes, 0))])
        outside = np.concatenate([[0], np.cumsum(~within)])
        wrong = bounds[ends] - bounds[ends - counts] != self._columns[place]
        wrong |= outside[ends] > outside[ends - counts]
        frame = np.repeat(np.arange(len(self._counts)), self._counts)
        self._check(np.bincount(frame, wrong, len(self._counts)) > 0)

    def records(self, codes: Iterator[Ints], words: tuple[bytes, ...]) -> Records:
        rows = np.repeat(np.array(self._rows, dtype=np.int64), self._counts)
        state: State = {}
        for place, field in enumerate(self._fields):
            column = np.ascontiguousarray(self._columns[place])
            if field.wire is Wire.TEXT:
                state[field.name] = next(codes)
            elif field.wire is Wire.TEXTS:
                counts = self._columns[place - 1] // WORD_BYTES
                state[field.name] = Ragged(counts, next(codes))
            elif field.wire is Wire.BYTES:
                state[field.name] = self._blobs(place)
            elif field.wire in _NUMBERS:
                numbers: Any = np.frombuffer(self._values(place), dtype=_NUMBERS[field.wire])
                state[field.name] = Ragged(column // WORD_BYTES, numbers)
            elif field.wire is not Wire.SIZES:
                state[field.name] = _typed(column, field.wire)
        return Records(rows, state, words)

    def _blobs(self, place: int) -> Values:
        values, ends = self._values(place), np.cumsum(self._columns[place]).tolist()
        blobs: Any = np.empty(len(ends), dtype=object)
        blobs[:] = [values[a:b] for a, b in zip([0, *ends], ends, strict=False)]
        return cast("Values", blobs)

    @property
    def _matrix(self) -> Ints:
        words = np.frombuffer(b"".join(self._records), dtype=np.int64)
        return words.reshape(-1, words_of(self._fields))

    @cached_property
    def _columns(self) -> list[Ints]:
        return _columns(self._fields, self._matrix)

    def _values(self, place: int) -> bytes:
        """Cut one field's values out of every heap."""
        starts, sizes = self._heap_places[place]
        return b"".join(
            heap[start : start + size]
            for heap, start, size in zip(self._heaps, starts, sizes, strict=True)
        )

    @cached_property
    def _heap_places(self) -> dict[int, tuple[list[int], list[int]]]:
        """For each field on the heap: where its values start in each frame, and their size."""
        places = {}
        ends = np.cumsum(self._counts, dtype=np.int64)
        first_records, start = ends - self._counts, np.zeros(len(ends), dtype=np.int64)
        for place, field in enumerate(self._fields):
            if field.wire.on_heap and len(ends):
                lengths = self._lengths(place, field.wire)
                size = np.add.reduceat(np.maximum(lengths, 0), first_records)
                places[place] = (start.tolist(), size.tolist())
                start = start + size
            elif field.wire.on_heap:
                places[place] = ([], [])
        self._check(start != [len(heap) for heap in self._heaps])
        return places

    def _lengths(self, place: int, wire: Wire) -> Ints:
        lengths: Ints = self._columns[place]
        frame = np.repeat(np.arange(len(self._counts)), self._counts)
        largest = np.array([len(heap) for heap in self._heaps])[frame]
        wrong = (lengths < -1) | (lengths > largest)
        if wire is not Wire.TEXT:
            wrong |= lengths < 0
        if wire.has_words:
            wrong |= lengths % WORD_BYTES != 0
        self._check(np.bincount(frame, wrong) > 0)
        return lengths

    def _check(self, wrong: "np.ndarray[tuple[int], np.dtype[np.bool_]]") -> None:
        """Refuse the first frame whose values do not fit its heap."""
        for frame in np.flatnonzero(wrong).tolist():
            found = f"{self._counts[frame]} records whose values do not fit the heap"
            raise ValueError(damaged(self._places[frame], found))


def _fixed(fields: Sequence[StateField], rows: Ints, matrix: Ints) -> Records:
    state: State = {
        field.name: _typed(np.ascontiguousarray(words), field.wire)
        for field, words in zip(fields, _columns(fields, matrix), strict=True)
    }
    return Records(rows, state, ())


def _columns(fields: Sequence[StateField], matrix: Ints) -> list[Ints]:
    """Return the words of each field, as views of the words of records; of vectors a matrix."""
    ends = accumulate(field.size for field in fields)
    return [
        matrix[:, end - field.size : end] if field.wire is Wire.VECTOR else matrix[:, end - 1]
        for field, end in zip(fields, ends, strict=True)
    ]


def _typed(words: Ints, wire: Wire) -> Ints | Floats:
    return words.view(np.float64) if wire in {Wire.FLOAT, Wire.VECTOR} else words


def _binary(lengths: Ints, data: bytes) -> BytesArray:
    offsets = np.concatenate([[0], np.cumsum(np.maximum(lengths, 0))])
    return bytes_array(offsets, data, np.packbits(lengths >= 0, bitorder="little"))
