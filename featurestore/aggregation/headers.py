"""Headers: how frames start; `frames` draws the format."""

from collections.abc import Collection, Iterator
from struct import Struct

from featurestore.aggregation.layout import HEADER_BYTES

KIND_BITS = 5  # of a bare event's first word; its time takes the others
KIND_MASK = (1 << KIND_BITS) - 1
EVENT = 0x03  # in these bits; those of the other kinds differ
NARROW = 0x08  # in these bits, of which the last two say by which scale (`narrow`)
SCALE_MASK = 0x03
POINTS = 0x21
TILES = 0x22
COMPACTED = 0x24
PACKED = 0x25
HEADER = Struct("<BBHI")

Frame = tuple[int, int, int, memoryview]  # where it starts, kind, records, their bytes


def frames_of(row: bytes, event_bytes: int) -> Iterator[Frame]:
    """Yield the frames of an unpacked row; bare events that follow each other count as one.

    Args:
        row: The row.
        event_bytes: How long a bare event is; 0 where events have frames with a header.

    Raises:
        ValueError: The row is not made of frames.
    """
    view, at = memoryview(row), 0
    while at < len(row):
        start = at
        if event_bytes and row[at] & KIND_MASK == EVENT:
            at = _end_of_events(row, at, event_bytes)
            yield start, EVENT, (at - start) // event_bytes, view[start:at]
        else:
            kind, pad, count, at = _header(row, at, (TILES,) if event_bytes else (POINTS, TILES))
            yield start, kind, count, view[start + HEADER_BYTES : at - pad]


def _end_of_events(row: bytes, at: int, event_bytes: int) -> int:
    while at < len(row) and row[at] & KIND_MASK == EVENT:
        at += event_bytes
    if at > len(row):
        at -= event_bytes
        raise ValueError(damaged(at, f"an event in {len(row) - at} bytes"))
    return at


def _header(row: bytes, at: int, kinds: Collection[int]) -> tuple[int, int, int, int]:
    """Return the kind, the pad, the number of records, and where the frame ends."""
    if at + HEADER_BYTES > len(row):
        raise ValueError(damaged(at, f"{len(row) - at} bytes"))
    kind, pad, count, length = HEADER.unpack_from(row, at)
    end = at + HEADER_BYTES + length
    if kind not in kinds or not count or pad > length or end > len(row):
        raise ValueError(damaged(at, f"kind {kind:#x}, {count} records, {length} bytes"))
    return kind, pad, count, end


def damaged(at: int, found: str) -> str:
    """Say that a row is none."""
    return f"byte {at} of a row starts no frame of this view in format version 3 (found {found})"
