"""distinct: how many different values."""

from featurestore.definitions.aggregation import Aggregation, always, register
from featurestore.definitions.contract import Kind
from featurestore.definitions.expression import Expression
from featurestore.definitions.keeping import at_most
from featurestore.definitions.measure import Measure, measure

MOST_BYTES = (
    2624  # of a CPC sketch with lg k = 12 as its library has it, and what says how long it is
)
DISTINCT = register(
    Aggregation("distinct", always(Kind.INT), keeps={"hashes": at_most(MOST_BYTES)})
)


def distinct(of: Expression | str, *, where: Expression | str | None = None) -> Measure:
    """Count the different values of a column.

    Exact up to 256 different values, then an estimate with a standard error of 1.1 % (a CPC sketch
    with lg k = 12 of Apache DataSketches). Memory in a tile: 8 bytes per different value, 2.6 KiB
    at most.
    """
    return measure(DISTINCT, of, where=where)
