"""What an accumulator is."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol, TypeAlias

from featurestore.aggregation.arrays import Ints, Ragged, Values
from featurestore.aggregation.groups import Groups

State: TypeAlias = dict[str, Values | Ragged]


class Wire(StrEnum):
    """How a column of states or of events stands in a frame."""

    INT = "int"
    FLOAT = "float"
    TEXT = "text"  # a length in the record, the bytes in the frame's heap
    RAGGED = "ragged"  # a number of 64-bit words in the record, the words in the heap


@dataclass(frozen=True, slots=True)
class StateField:
    """One column of a state."""

    name: str
    wire: Wire


@dataclass(frozen=True, slots=True)
class Input:
    """One column of events as the aggregation sees it.

    Attributes:
        name: The expression it is, as text.
        wire: How its values stand in a frame.
        nullable: Whether values may be missing.
    """

    name: str
    wire: Wire
    nullable: bool

    @property
    def counted(self) -> str:
        """The state column that says how many values there were."""
        return f"{self.name}.n" if self.nullable else "n"


class Accumulator(Protocol):
    """One statistic over one input; see the package for its laws."""

    @property
    def of(self) -> Input:
        """What it is a statistic of."""

    @property
    def fields(self) -> tuple[StateField, ...]:
        """The columns of its state."""

    def lift(self, at: Ints, values: Values) -> State:
        """Return the state of each event, from its time and its value."""

    def merge(self, states: State, groups: Groups, merged: State) -> State:
        """Return the state of each group.

        Args:
            states: All columns, of all accumulators, of the records to merge.
            groups: Which records belong together.
            merged: What the accumulators before this one have made of the groups.
        """
