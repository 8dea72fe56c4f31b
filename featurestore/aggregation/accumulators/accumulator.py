"""What an accumulator is."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol, TypeAlias

import numpy as np

from featurestore.aggregation.arrays import Ints, Ragged, Values
from featurestore.aggregation.groups import Groups

State: TypeAlias = dict[str, Values | Ragged]


class Wire(StrEnum):
    """How a column of states or of events stands in a frame."""

    INT = "int"
    FLOAT = "float"
    VECTOR = "vector"  # as many floats as the field has words, in the record
    TEXT = "text"  # a length in the record, the bytes in the frame's heap
    RAGGED = "ragged"  # how many bytes in the record, 64-bit words in the heap: hashes
    INTS = "ints"  # the same, the words are ints
    FLOATS = "floats"  # the same, the words are floats
    SIZES = "sizes"  # the same, the words are the sizes of the texts in the next field
    TEXTS = "texts"  # how many bytes in the record, texts end to end in the heap
    BYTES = "bytes"  # the same, bytes that only their accumulator can read

    @property
    def on_heap(self) -> bool:
        """Whether values stand behind the records of a frame."""
        return self not in {Wire.INT, Wire.FLOAT, Wire.VECTOR}

    @property
    def has_words(self) -> bool:
        """Whether a value is a list of 64-bit words."""
        return self in {Wire.RAGGED, Wire.INTS, Wire.FLOATS, Wire.SIZES}


@dataclass(frozen=True, slots=True)
class StateField:
    """One column of a state.

    Attributes:
        name: Its name.
        wire: How its values stand in a frame.
        size: How many words of a record it takes.
    """

    name: str
    wire: Wire
    size: int = 1


@dataclass(frozen=True, slots=True)
class Input:
    """One column of events as the aggregation sees it.

    Attributes:
        name: The expression it is, as text.
        wire: How its values stand in a frame.
        nullable: Whether values may be missing.
        size: How many words of a record a value takes: of a vector one per component.
    """

    name: str
    wire: Wire
    nullable: bool
    size: int = 1

    @property
    def counted(self) -> str:
        """The state column that says how many values there were."""
        return f"{self.name}.n" if self.nullable else "n"


class Accumulator(Protocol):
    """One statistic over some inputs; see the package for its laws."""

    @property
    def inputs(self) -> "tuple[Input, ...]":
        """What it is a statistic of."""

    @property
    def fields(self) -> tuple[StateField, ...]:
        """The columns of its state."""

    def lift(self, at: Ints, columns: Sequence[Values]) -> State:
        """Return the state of each event, from its time and its inputs."""

    def merge(self, states: State, groups: Groups, merged: State) -> State:
        """Return the state of each group.

        Args:
            states: All columns, of all accumulators, of the records to merge.
            groups: Which records belong together.
            merged: What the accumulators before this one have made of the groups.
        """


@dataclass(frozen=True, slots=True)
class OfOne:
    """A statistic over one input."""

    of: Input

    @property
    def inputs(self) -> tuple[Input, ...]:
        """What it is a statistic of."""
        return (self.of,)


def plain(state: State, name: str) -> Values:
    """Return a column of a state that has one number per record."""
    values = state[name]
    assert isinstance(values, np.ndarray)
    return values


def ragged(state: State, name: str) -> Ragged:
    """Return a column of a state that has a list per record."""
    lists = state[name]
    assert isinstance(lists, Ragged)
    return lists
