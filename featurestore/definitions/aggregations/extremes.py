"""minimum, maximum, min_by, max_by: the smallest and the largest."""

from featurestore.definitions.aggregation import Aggregation, register, same
from featurestore.definitions.expression import Expression
from featurestore.definitions.keeping import a_value
from featurestore.definitions.measure import Measure, measure

MINIMUM = register(Aggregation("minimum", same, keeps={"min": a_value}))
MAXIMUM = register(Aggregation("maximum", same, keeps={"max": a_value}))
MIN_BY = register(Aggregation("min_by", same, keeps={"min by": a_value}))
MAX_BY = register(Aggregation("max_by", same, keeps={"max by": a_value}))


def minimum(of: Expression | str, *, where: Expression | str | None = None) -> Measure:
    """Take the smallest value; text by its UTF-8 bytes, False before True."""
    return measure(MINIMUM, of, where=where)


def maximum(of: Expression | str, *, where: Expression | str | None = None) -> Measure:
    """Take the largest value; text by its UTF-8 bytes, False before True."""
    return measure(MAXIMUM, of, where=where)


def min_by(
    of: Expression | str, by: Expression | str, *, where: Expression | str | None = None
) -> Measure:
    """Take the value of `of` where `by` is smallest; of several the smallest.

    Events in which one of the two is missing do not matter.

    >>> print(min_by("merchant", by="amount"))
    min_by(merchant, amount)
    """
    return measure(MIN_BY, of, by, where=where)


def max_by(
    of: Expression | str, by: Expression | str, *, where: Expression | str | None = None
) -> Measure:
    """Take the value of `of` where `by` is largest; of several the largest."""
    return measure(MAX_BY, of, by, where=where)
