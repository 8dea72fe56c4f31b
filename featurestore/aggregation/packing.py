"""Packing: the records of a compacted row in as few bytes as they need.

Column by column, what all words share is kept once: the least of them, and how many bytes the
others are above it at most. Floats that all are a whole number of cents, say, are kept as such
numbers. What is unpacked has the same bits. The body of a packed frame is a section of tiles, one
of events, or both::

    kind u8 | columns u8 | n u16 | columns x shape u8 | columns x least i64 | n x record

A shape's low half says how many bytes of each record are the column's: its word less the least,
unsigned, little-endian. Its high half is 0 for words as they are, k for floats that are whole once
multiplied by ``SCALES[k]``.
"""

from collections.abc import Iterator
from struct import Struct
from typing import Any

import numpy as np

from featurestore.aggregation import narrow
from featurestore.aggregation.arrays import Ints
from featurestore.aggregation.groups import Groups
from featurestore.aggregation.headers import (
    COMPACTED,
    EVENT,
    HEADER,
    KIND_BITS,
    PACKED,
    TILES,
    damaged,
)
from featurestore.aggregation.layout import HEADER_BYTES, WORD_BYTES, Layout

SCALES = np.array([1, *narrow.SCALES])  # the first for words as they are
_SECTION = Struct("<BBH")
_BYTES = np.arange(WORD_BYTES)
_LARGEST = np.array([256**size - 1 for size in range(WORD_BYTES)], dtype=np.uint64)


def sections(kind: int, words: Ints, groups: Groups) -> list[bytes]:
    """Return a section for each group of records, given as words: a row each.

    Cost: 10 µs for each, and 30 ns per word.
    """
    words = words.copy()
    scales = _scale(words, groups)
    least = np.minimum.reduceat(words, groups.starts)
    above = (words - least[groups.ids]).view(np.uint64)
    sizes = np.searchsorted(_LARGEST, np.maximum.reduceat(above, groups.starts))
    shapes = (sizes | scales << 4).astype(np.uint8)
    octets = above.view(np.uint8).reshape(*words.shape, WORD_BYTES)
    return [
        _SECTION.pack(kind, words.shape[1], end - start)
        + shapes[group].tobytes()
        + least[group].tobytes()
        + octets[start:end, _kept(sizes[group])].tobytes()
        for group, (start, end) in enumerate(zip(groups.starts, groups.ends, strict=True))
    ]


def compacted(layout: Layout, body: bytes) -> bytes:
    """Return a row of one frame, whose body is this; its length tells the row's level."""
    if not body:
        return b""
    length = HEADER_BYTES + len(body)
    pad = (layout.levels.of(length) - length) % layout.levels.grain
    kind = PACKED if layout.is_packed else COMPACTED
    return HEADER.pack(kind, pad, 0, len(body) + pad) + body + bytes(pad)


def compacted_bytes(row: bytes) -> int:
    """Return how long a row was when it was compacted last; 0 if it never was.

    >>> compacted_bytes(bytes([0x25, 3, 0, 0, 8, 0, 0, 0]) + bytes(8) + b"more")
    16
    """
    if len(row) < HEADER_BYTES or row[0] not in (COMPACTED, PACKED):
        return 0
    return HEADER_BYTES + int(HEADER.unpack_from(row)[-1])


def unpacked(row: bytes) -> tuple[bytes, bytes]:
    """Return the frames that a compacted row starts with, none of them packed, and what follows.

    Raises:
        ValueError: It starts with a frame of a compacted row that is damaged.

    Cost: if it is packed 50 µs, and 10 ns per word.
    """
    if not row or row[0] not in (COMPACTED, PACKED):
        return b"", row
    if len(row) < HEADER_BYTES:
        raise ValueError(damaged(0, f"{len(row)} bytes"))
    kind, pad, count, length = HEADER.unpack_from(row)
    end = HEADER_BYTES + length
    if count or pad > length or end > len(row):
        raise ValueError(damaged(0, f"kind {kind:#x}, {count} records, {length} bytes"))
    body = row[HEADER_BYTES : end - pad]
    return body if kind == COMPACTED else b"".join(_unpacked(body)), row[end:]


def _scale(words: Ints, groups: Groups) -> Ints:
    """Make whole numbers of the columns of groups that can be; return by which scale each was.

    Two records of each group tell which scale it can be.
    """
    middle = (groups.starts + groups.ends) // 2
    scales = np.maximum(_scales_of(words[groups.starts]), _scales_of(words[middle]))
    scales[scales == len(SCALES)] = 0
    for column in np.flatnonzero(scales.any(axis=0)):
        before, scale = words[:, column], SCALES[scales[groups.ids, column]]
        whole = _whole(before, scale)
        same = (whole / scale).view(np.int64) == before
        scales[:, column] *= np.logical_and.reduceat(same, groups.starts)
        np.copyto(before, whole, where=scales[groups.ids, column] > 0)
    return scales


def _scales_of(words: Ints) -> Ints:
    """Return the first scale at which each word is a whole number, else one that is none."""
    of = np.full(words.shape, len(SCALES))
    for scale in range(len(SCALES) - 1, 0, -1):
        of[(_whole(words, SCALES[scale]) / SCALES[scale]).view(np.int64) == words] = scale
    return of


def _whole(words: Ints, scale: Any) -> Ints:
    with np.errstate(invalid="ignore", over="ignore"):
        whole: Ints = np.rint(words.view(np.float64) * scale).astype(np.int64)
    return whole


def _unpacked(body: bytes) -> Iterator[bytes]:
    at = 0
    while at < len(body):
        kind, words, at = _words(body, at)
        if kind == TILES:
            yield HEADER.pack(TILES, 0, len(words), words.nbytes)
        else:
            words[:, 0] = words[:, 0] << KIND_BITS | EVENT
        yield words.tobytes()


def _words(body: bytes, at: int) -> tuple[int, Ints, int]:
    """Return the kind of a section, its records, and where it ends."""
    if at + _SECTION.size > len(body):
        raise ValueError(damaged(0, f"a section of {len(body) - at} bytes"))
    kind, width, count = _SECTION.unpack_from(body, at)
    head = at + _SECTION.size + width * (1 + WORD_BYTES)
    if kind not in (TILES, EVENT) or not width or not count or head > len(body):
        raise ValueError(damaged(0, f"a section of kind {kind:#x}, {count} records"))
    shapes = np.frombuffer(body, np.uint8, width, at + _SECTION.size)
    sizes, scales = shapes & 15, shapes >> 4
    each = int(sizes.sum())
    end = head + count * each
    if sizes.max() > WORD_BYTES or scales.max() >= len(SCALES) or end > len(body):
        raise ValueError(damaged(0, f"a section of {count} records of {each} bytes"))
    words = np.zeros((count, width, WORD_BYTES), dtype=np.uint8)
    words[:, _kept(sizes)] = np.frombuffer(body, np.uint8, count * each, head).reshape(count, each)
    found = words.view(np.int64)[..., 0] + np.frombuffer(body, np.int64, width, head - 8 * width)
    for column in np.flatnonzero(scales):
        found[:, column] = (found[:, column] / SCALES[scales[column]]).view(np.int64)
    return kind, found, end


def _kept(sizes: Ints) -> "np.ndarray[tuple[int, int], np.dtype[np.bool_]]":
    """Say which bytes of each column's words are kept."""
    kept: np.ndarray[tuple[int, int], np.dtype[np.bool_]] = sizes[:, None] > _BYTES
    return kept
