"""minimum, maximum, min_by, max_by: the smallest and the largest."""

from featurestore.definitions.aggregation import Aggregation, register, same
from featurestore.definitions.expression import Expression
from featurestore.definitions.measure import Measure, measure

MINIMUM = register(Aggregation("minimum", same))
MAXIMUM = register(Aggregation("maximum", same))
MIN_BY = register(Aggregation("min_by", same))
MAX_BY = register(Aggregation("max_by", same))


def minimum(of: Expression | str, *, where: Expression | None = None) -> Measure:
    """Take the smallest value; text by its UTF-8 bytes, False before True."""
    return measure(MINIMUM, of, where=where)


def maximum(of: Expression | str, *, where: Expression | None = None) -> Measure:
    """Take the largest value; text by its UTF-8 bytes, False before True."""
    return measure(MAXIMUM, of, where=where)


def min_by(
    of: Expression | str, by: Expression | str, *, where: Expression | None = None
) -> Measure:
    """Take the value of `of` where `by` is smallest; of several the smallest.

    Events in which one of the two is missing do not matter.

    >>> print(min_by("merchant", by="amount"))
    min_by(merchant, amount)
    """
    return measure(MIN_BY, of, by, where=where)


def max_by(
    of: Expression | str, by: Expression | str, *, where: Expression | None = None
) -> Measure:
    """Take the value of `of` where `by` is largest; of several the largest."""
    return measure(MAX_BY, of, by, where=where)
