"""A measure: one number (or value) that a window boils down to, as the user names it."""

from dataclasses import dataclass
from enum import StrEnum

from featurestore.definitions.contract import Kind
from featurestore.definitions.expression import Expression, as_expression


class Aggregation(StrEnum):
    """The aggregations there are."""

    COUNT = "count"
    TOTAL = "total"
    MEAN = "mean"
    STD = "std"
    MINIMUM = "minimum"
    MAXIMUM = "maximum"
    FIRST = "first"
    LAST = "last"
    DISTINCT = "distinct"


_INVERTIBLE = frozenset({Aggregation.COUNT, Aggregation.TOTAL, Aggregation.MEAN})
_NEEDS_NUMBERS = frozenset({Aggregation.TOTAL, Aggregation.MEAN, Aggregation.STD})


@dataclass(frozen=True, slots=True)
class Measure:
    """An aggregation of an expression.

    Attributes:
        aggregation: Which one.
        of: What it aggregates; None counts events.
    """

    aggregation: Aggregation
    of: Expression | None

    @property
    def is_invertible(self) -> bool:
        """Whether an event can be taken out again without looking at all the others.

        Not a standard deviation: the squares about a mean that nothing is left of are lost.
        """
        return self.aggregation in _INVERTIBLE

    def result_kind(self, kind: Kind | None) -> Kind:
        """Return what it gives for a column of this kind."""
        match self.aggregation:
            case Aggregation.COUNT | Aggregation.DISTINCT:
                return Kind.INT
            case Aggregation.MEAN | Aggregation.STD:
                return Kind.FLOAT
            case Aggregation.TOTAL if kind is not Kind.FLOAT:
                return Kind.INT
            case _:
                return kind or Kind.INT

    def problem(self, kind: Kind) -> str | None:
        """Say why it cannot aggregate a column of this kind, or None.

        >>> total("name").problem(Kind.TEXT)
        'total needs numbers, but name is str; count, first, last, minimum, maximum take any value'
        """
        if self.aggregation in _NEEDS_NUMBERS and not kind.is_number:
            return (
                f"{self.aggregation} needs numbers, but {self.of} is {kind.value}; "
                "count, first, last, minimum, maximum take any value"
            )
        return None

    def __str__(self) -> str:
        """Write it as a user would."""
        return f"{self.aggregation}({self.of if self.of is not None else ''})"


def _measure(aggregation: Aggregation, of: Expression | str, where: Expression | None) -> Measure:
    expression = as_expression(of)
    return Measure(
        aggregation, expression.otherwise_null(where) if where is not None else expression
    )


def count(of: Expression | str | None = None, *, where: Expression | None = None) -> Measure:
    """Count events; with a column, those that have a value there. Never null: no events is 0.

    >>> from featurestore.definitions.expression import column
    >>> print(count(), count("coupon"), count(where=column("amount") > 100))
    count() count(coupon) count(if((amount > 100), (amount > 100)))
    """
    if of is None:
        return Measure(
            Aggregation.COUNT, where.otherwise_null(where) if where is not None else None
        )
    return _measure(Aggregation.COUNT, of, where)


def total(of: Expression | str, *, where: Expression | None = None) -> Measure:
    """Add up a column of numbers: an int for ints and booleans, else a float.

    Ints are exact while the total fits into 64 bits.
    """
    return _measure(Aggregation.TOTAL, of, where)


def mean(of: Expression | str, *, where: Expression | None = None) -> Measure:
    """Take the arithmetic mean of a column of numbers; of a boolean, the share that is true."""
    return _measure(Aggregation.MEAN, of, where)


def std(of: Expression | str, *, where: Expression | None = None) -> Measure:
    """Take the standard deviation of the population (divisor n); one value gives 0."""
    return _measure(Aggregation.STD, of, where)


def minimum(of: Expression | str, *, where: Expression | None = None) -> Measure:
    """Take the smallest value; text by its UTF-8 bytes, False before True."""
    return _measure(Aggregation.MINIMUM, of, where)


def maximum(of: Expression | str, *, where: Expression | None = None) -> Measure:
    """Take the largest value; text by its UTF-8 bytes, False before True."""
    return _measure(Aggregation.MAXIMUM, of, where)


def first(of: Expression | str, *, where: Expression | None = None) -> Measure:
    """Take the oldest value by event time; of several at one instant the smallest."""
    return _measure(Aggregation.FIRST, of, where)


def last(of: Expression | str, *, where: Expression | None = None) -> Measure:
    """Take the newest value by event time; of several at one instant the largest.

    So the answer does not depend on the order in which events arrived.
    """
    return _measure(Aggregation.LAST, of, where)


def distinct(of: Expression | str, *, where: Expression | None = None) -> Measure:
    """Count the different values of a column.

    Exact up to 1,024 different values, then an estimate with a standard error of 3 %.
    Memory in a tile: 8 bytes per different value, 8 KiB at most.
    """
    return _measure(Aggregation.DISTINCT, of, where)
