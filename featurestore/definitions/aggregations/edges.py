"""first, last, time_since_first, time_since_last: the ends of a window's events."""

from featurestore.definitions.aggregation import Aggregation, always, components, register, same
from featurestore.definitions.contract import Kind
from featurestore.definitions.expression import Expression
from featurestore.definitions.keeping import a_dated_value
from featurestore.definitions.measure import Measure, measure

_FIRST, _LAST = {"first": a_dated_value}, {"last": a_dated_value}
FIRST = register(Aggregation("first", same, components, vectors=True, keeps=_FIRST))
LAST = register(Aggregation("last", same, components, vectors=True, keeps=_LAST))
TIME_SINCE_FIRST = register(Aggregation("time_since_first", always(Kind.FLOAT), keeps=_FIRST))
TIME_SINCE_LAST = register(Aggregation("time_since_last", always(Kind.FLOAT), keeps=_LAST))


def first(of: Expression | str, *, where: Expression | str | None = None) -> Measure:
    """Take the oldest value by event time; of several at one instant the smallest.

    Vectors compare as lists do.
    """
    return measure(FIRST, of, where=where)


def last(of: Expression | str, *, where: Expression | str | None = None) -> Measure:
    """Take the newest value by event time; of several at one instant the largest.

    So the answer does not depend on the order in which events arrived.
    """
    return measure(LAST, of, where=where)


def time_since_first(
    of: Expression | str | None = None, *, where: Expression | str | None = None
) -> Measure:
    """Take the seconds from the window's first event until now; with a column, the first value."""
    return _since(TIME_SINCE_FIRST, of, where)


def time_since_last(
    of: Expression | str | None = None, *, where: Expression | str | None = None
) -> Measure:
    """Take the seconds from the window's last event until now; with a column, the last value.

    >>> from featurestore.definitions.expression import column
    >>> print(time_since_last(), time_since_last(where=column("status") == "declined"))
    time_since_last() time_since_last(if((status == 'declined'), (status == 'declined')))
    """
    return _since(TIME_SINCE_LAST, of, where)


def _since(name: str, of: Expression | str | None, where: Expression | str | None) -> Measure:
    of = where if of is None else of
    return Measure(name) if of is None else measure(name, of, where=where)
