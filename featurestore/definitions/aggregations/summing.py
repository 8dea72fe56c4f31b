"""total, mean: sums of numbers."""

from featurestore.definitions.aggregation import Aggregation, always, number, register
from featurestore.definitions.contract import Kind
from featurestore.definitions.expression import Expression
from featurestore.definitions.measure import Measure, measure

TOTAL = register(Aggregation("total", number, numbers=(0,), invertible=True))
MEAN = register(Aggregation("mean", always(Kind.FLOAT), numbers=(0,), invertible=True))


def total(of: Expression | str, *, where: Expression | None = None) -> Measure:
    """Add up a column of numbers: an int for ints and booleans, else a float.

    Ints are exact while the total fits into 64 bits.
    """
    return measure(TOTAL, of, where=where)


def mean(of: Expression | str, *, where: Expression | None = None) -> Measure:
    """Take the arithmetic mean of a column of numbers; of a boolean, the share that is true."""
    return measure(MEAN, of, where=where)
