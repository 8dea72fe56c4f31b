"""What turns from a list into a sketch of Apache DataSketches once it is too long to be kept.

A state is a list of numbers and a sketch, one of which is empty. A sketch has the bytes of the
library, which are the same in all its languages and versions, behind their CRC-32: of damaged bytes
the library may not come back.
"""

from collections.abc import Callable, Sequence
from typing import Any, TypeVar
from zlib import crc32

import numpy as np

from featurestore.aggregation.accumulators.accumulator import State
from featurestore.aggregation.arrays import Ragged, Values
from featurestore.aggregation.groups import Groups

FEW = 256
_CHECKSUM_BYTES = 4

Sketch = TypeVar("Sketch")


def sketched(
    lists: Ragged,
    sketches: Sequence[bytes],
    groups: Groups,
    join: Callable[[Any, Sequence[bytes]], bytes],
) -> tuple[Ragged, Values]:
    """Return each group's list and sketch: a list only where it is short and no part is a sketch.

    Args:
        lists: One for each group.
        sketches: One for each record, empty for those with a list.
        groups: Which records belong together.
        join: Makes a sketch of a list and of sketches, none of which is empty.
    """
    has_sketch = np.array([bool(sketch) for sketch in sketches], dtype=np.int64)
    many = (lists.lengths > FEW) | (groups.total(has_sketch) > 0)
    joined = no_sketches(len(groups))
    bounds = np.concatenate([[0], np.cumsum(lists.lengths)])
    for group in np.flatnonzero(many).tolist():
        mine = [s for s in sketches[groups.starts[group] : groups.ends[group]] if s]
        made = join(lists.numbers[bounds[group] : bounds[group + 1]], mine)
        joined[group] = _checksum(made) + made
    kept = ~many[lists.owners()]
    return Ragged(np.where(many, 0, lists.lengths), lists.numbers[kept]), joined


def sketches_of(state: State, name: str) -> list[bytes]:
    """Return a column of sketches."""
    column = state[name]
    assert isinstance(column, np.ndarray)
    sketches: list[bytes] = column.tolist()
    return sketches


def read_sketch(deserialize: Callable[[bytes], Sketch], sketch: bytes) -> Sketch:
    """Return the sketch that some bytes are.

    Raises:
        ValueError: They are none, or damaged.
    """
    checksum, made = sketch[:_CHECKSUM_BYTES], sketch[_CHECKSUM_BYTES:]
    if checksum != _checksum(made):
        msg = f"{len(sketch)} bytes are no sketch: their checksum is wrong"
        raise ValueError(msg)
    return deserialize(made)


def _checksum(made: bytes) -> bytes:
    return crc32(made).to_bytes(_CHECKSUM_BYTES, "little")


def no_sketches(count: int) -> Any:
    """Return a column of empty sketches."""
    empty = np.empty(count, dtype=object)
    empty[:] = b""
    return empty
