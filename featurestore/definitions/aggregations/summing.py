"""total, mean: sums of numbers, and of vectors component by component."""

from featurestore.definitions.aggregation import (
    Aggregation,
    average,
    components,
    number,
    register,
)
from featurestore.definitions.expression import Expression
from featurestore.definitions.keeping import a_count, a_value
from featurestore.definitions.measure import Measure, measure

TOTAL, MEAN = (
    register(
        Aggregation(
            name,
            gives,
            components,
            numbers=(0,),
            vectors=True,
            invertible=True,
            keeps={"n": a_count, "sum": a_value},
        )
    )
    for name, gives in (("total", number), ("mean", average))
)


def total(of: Expression | str, *, where: Expression | str | None = None) -> Measure:
    """Add up a column of numbers: an int for ints and booleans, else a float.

    Ints are exact while the total fits into 64 bits. Vectors add up component by component.
    """
    return measure(TOTAL, of, where=where)


def mean(of: Expression | str, *, where: Expression | str | None = None) -> Measure:
    """Take the arithmetic mean of a column of numbers; of a boolean, the share that is true.

    That of vectors is the vector of the means of their components.
    """
    return measure(MEAN, of, where=where)
