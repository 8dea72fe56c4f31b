"""distinct: how many different values."""

from featurestore.definitions.aggregation import Aggregation, always, at_most, register
from featurestore.definitions.contract import Kind
from featurestore.definitions.expression import Expression
from featurestore.definitions.measure import Measure, measure

DISTINCT = register(Aggregation("distinct", always(Kind.INT), tile_bytes=at_most(2600)))


def distinct(of: Expression | str, *, where: Expression | None = None) -> Measure:
    """Count the different values of a column.

    Exact up to 256 different values, then an estimate with a standard error of 1.1 % (a CPC sketch
    with lg k = 12 of Apache DataSketches). Memory in a tile: 8 bytes per different value, 2.6 KiB
    at most.
    """
    return measure(DISTINCT, of, where=where)
