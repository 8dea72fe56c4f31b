"""What a tile keeps of some columns for an aggregation, at most, in bytes.

Texts count as 64 bytes each: a contract need not say how long they are.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from featurestore.definitions.contract import Kind

WORD = 8
TEXT_BYTES = 64


@dataclass(frozen=True, slots=True)
class Held:
    """A value of a column as a row holds it.

    Attributes:
        kind: What it is.
        nullable: Whether an event may have none.
        size: How many floats a vector has; 0 for all other kinds.

    >>> Held(Kind.FLOAT, nullable=False).bytes, Held(Kind.TEXT, nullable=False).bytes
    (8, 72)
    """

    kind: Kind
    nullable: bool
    size: int = 0

    @property
    def bytes(self) -> int:
        """How many bytes it takes: a text its length and itself."""
        return WORD * (self.size or 1) + (TEXT_BYTES if self.kind is Kind.TEXT else 0)


Parameters = Mapping[str, object]
Keeps = Callable[[Sequence[Held], Parameters], int]


def a_word(of: Sequence[Held], _: Parameters) -> int:  # noqa: ARG001 - a rule has this shape
    """One number, whatever it is of."""
    return WORD


def a_count(of: Sequence[Held], _: Parameters) -> int:
    """How many values there were of each column; where none is missing, events are counted."""
    return WORD * sum(each.nullable for each in of)


def a_value(of: Sequence[Held], _: Parameters) -> int:
    """A value of each column."""
    return sum(each.bytes for each in of)


def a_dated_value(of: Sequence[Held], _: Parameters) -> int:
    """A value and when it was, unless that is when the event was."""
    return sum(each.bytes + WORD * each.nullable for each in of)


def at_most(most: int) -> Keeps:
    """The same number of bytes whatever the columns."""
    return lambda of, parameters: most  # noqa: ARG005 - a rule has this shape


def some_values(parameter: str, beside: int = 0) -> Keeps:
    """As many values as a parameter says, and so many bytes beside each.

    >>> some_values("n", beside=8)([Held(Kind.FLOAT, nullable=False)], {"n": 1000})
    16024
    """

    def keeps(of: Sequence[Held], parameters: Parameters) -> int:
        count = parameters[parameter]
        assert isinstance(count, int)
        lengths = 3  # of what may stand in the heap: values, their sizes, what is beside them
        return lengths * WORD + count * (a_value(of, parameters) + beside)

    return keeps
