"""Narrow events: four bytes a column instead of eight, for events of numbers that fit.

Amounts in cents, coordinates, counts and flags do. A narrow event is a bare frame, as a wide one::

    time << 5 | 8 | scale   i64
    columns x number        i32

``scale`` is the place in `SCALES` of what its floats were multiplied by to be whole numbers, the
same for all of an event; integers are as they are. The least number stands for a missing value. An
event that would not come back with the same bits stays wide.
"""

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from featurestore.aggregation.arrays import NULL, BytesArray, Floats, Ints, bytes_array
from featurestore.aggregation.groups import Groups
from featurestore.aggregation.headers import (
    EVENT,
    HEADER,
    KIND_BITS,
    KIND_MASK,
    NARROW,
    SCALE_MASK,
    damaged,
)
from featurestore.aggregation.layout import HALF_BYTES, HEADER_BYTES, WORD_BYTES

SCALES = np.array([1, 1e2, 1e4, 1e6])

_TRIED = (1, 2, 3, 0)  # scales, the likeliest first
_SAMPLE = 64
_HALVES = WORD_BYTES // HALF_BYTES
_NULL = np.int32(-(2**31))
_NAN = np.float64(np.nan).view(np.int64)

Mask = npt.NDArray[np.bool_]
Halves = npt.NDArray[np.int32]


def events(words: Ints, floats: bytes, groups: Groups) -> BytesArray:
    """Write events as bare frames, each as narrow as it can be, and put those of a group together.

    Args:
        words: A row for each event; the first word is its time, and is overwritten.
        floats: For each word whether it is a float.
        groups: Which events belong together.

    Cost: 10 ns per column of an event.
    """
    kinds, numbers = _narrowed(words, np.frombuffer(floats, dtype=bool))
    bounds, is_narrow = np.append(groups.starts, len(words)), kinds != EVENT
    if not is_narrow.any():
        return wide_events(words, groups)
    words[:, 0] = words[:, 0] << KIND_BITS | kinds
    wide = words.view(np.int32)
    narrow = np.empty((len(words), _HALVES + numbers.shape[1]), dtype=np.int32)
    narrow[:, :_HALVES], narrow[:, _HALVES:] = wide[:, :_HALVES], numbers
    if is_narrow.all():
        return bytes_array(bounds * narrow.shape[1] * HALF_BYTES, narrow)
    starts, halves = _one_by_one(is_narrow, narrow, wide)
    return bytes_array(starts[bounds] * HALF_BYTES, halves)


def wide_events(words: Ints, groups: Groups) -> BytesArray:
    """Write events as bare frames, none of them narrow; else as `events`."""
    words[:, 0] = words[:, 0] << KIND_BITS | EVENT
    bounds = np.append(groups.starts, len(words))
    return bytes_array(bounds * words.shape[1] * WORD_BYTES, words)


def widened(row: bytes, floats: bytes) -> bytes:
    """Return frames of which none is packed, with wide events instead of narrow ones.

    Cost: 10 µs for each run of narrow events.
    """
    return b"".join(_widened(row, floats))


def _narrowed(words: Ints, is_float: Mask) -> tuple[Ints, Halves]:
    """Return how each event's frame starts, and its columns where it is narrow."""
    kinds = np.full(len(words), EVENT)
    numbers = np.zeros((len(words), words.shape[1] - 1), dtype=np.int32)
    left = np.arange(len(words))
    for scale in _likely(words, is_float) if numbers.shape[1] else ():
        found, fits = _at_scale(words if len(left) == len(words) else words[left], is_float, scale)
        if fits.all() and len(left) == len(words):
            return np.full(len(words), NARROW | scale), found
        numbers[left[fits]], kinds[left[fits]] = found[fits], NARROW | scale
        left = left[~fits]
    return kinds, numbers


def _one_by_one(is_narrow: Mask, narrow: Halves, wide: Halves) -> tuple[Ints, Halves]:
    """Put each event behind the one before; return where each starts, and where the last ends."""
    sizes = np.where(is_narrow, narrow.shape[1], wide.shape[1])
    starts = np.concatenate([[0], np.cumsum(sizes)])
    placed = np.empty(starts[-1], dtype=np.int32)
    for these, of in ((is_narrow, narrow), (~is_narrow, wide)):
        placed[starts[:-1][these][:, None] + np.arange(of.shape[1])] = of[these]
    return starts, placed


def _likely(words: Ints, is_float: Mask) -> list[int]:
    """Return the scales by which some events fit, of a sample of all."""
    sample, scales = words[:: -(-len(words) // _SAMPLE)], []
    for scale in _TRIED if is_float.any() else (0,):
        _, fits = _at_scale(sample, is_float, scale)
        if fits.any():
            scales.append(scale)
            sample = sample[~fits]
        if not len(sample):
            break
    return scales


def _at_scale(words: Ints, is_float: Mask, scale: int) -> tuple[Halves, Mask]:
    """Return the columns of events as numbers, and which events they all fit."""
    numbers = np.empty((len(words), len(is_float) - 1), dtype=np.int32)
    fits = np.ones(len(words), dtype=bool)
    for column in range(1, len(is_float)):
        of = np.ascontiguousarray(words[:, column])
        number = numbers[:, column - 1]
        if is_float[column]:
            fits &= _whole(of.view(np.float64), SCALES[scale], number)
        else:
            number[:] = of
            missing = of == NULL
            fits &= ((number == of) & (number != _NULL)) | missing
            number[missing] = _NULL
    return numbers, fits


def _whole(values: Floats, scale: float, numbers: Halves) -> Mask:
    """Write values as whole numbers once multiplied; say which come back as they were."""
    with np.errstate(invalid="ignore", over="ignore"):
        numbers[:] = np.rint(values * scale)
    same: Mask = (numbers / scale).view(np.int64) == values.view(np.int64)
    same &= numbers != _NULL
    missing = np.isnan(values)
    if missing.any():
        numbers[missing] = _NULL
        same |= missing
    return same


def _widened(row: bytes, floats: bytes) -> Iterator[bytes]:
    wide = WORD_BYTES * len(floats)
    narrow = WORD_BYTES + HALF_BYTES * (len(floats) - 1)
    at, end = 0, len(row)
    while at < end:
        start, kind = at, row[at] & KIND_MASK
        if kind & ~SCALE_MASK == NARROW and narrow < wide:
            while at < end and row[at] & KIND_MASK == kind:
                at += narrow
            if at > end:
                raise ValueError(damaged(at - narrow, f"an event in {end - at + narrow} bytes"))
            yield _wide(row[start:at], kind & SCALE_MASK, floats)
            continue
        if kind == EVENT:
            at += wide
        elif at + HEADER_BYTES > end:
            at = end
        else:
            at += HEADER_BYTES + HEADER.unpack_from(row, at)[-1]
        yield row[start:at]


def _wide(run: bytes, scale: int, floats: bytes) -> bytes:
    """Return a run of narrow events of one scale as wide ones."""
    kind = np.dtype([("first", np.int64), ("numbers", np.int32, (len(floats) - 1,))])
    events_in = np.frombuffer(run, kind)
    words = np.empty((len(events_in), len(floats)), dtype=np.int64)
    words[:, 0] = events_in["first"] & ~KIND_MASK | EVENT
    numbers = events_in["numbers"]
    for column, is_float in enumerate(floats[1:]):
        of, missing = numbers[:, column], numbers[:, column] == _NULL
        words[:, column + 1] = (of / SCALES[scale]).view(np.int64) if is_float else of
        if missing.any():
            words[missing, column + 1] = _NAN if is_float else NULL
    return words.tobytes()
