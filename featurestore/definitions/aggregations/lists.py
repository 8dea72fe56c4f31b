"""first_n, last_n, top_k, bottom_k, distinct_values: some of a window's values."""

from featurestore.definitions.aggregation import Aggregation, always, register, same
from featurestore.definitions.contract import Kind
from featurestore.definitions.expression import Expression
from featurestore.definitions.keeping import WORD, some_values
from featurestore.definitions.measure import Measure, measure, out_of_range

MOST_ITEMS = 1000

_LIST, _DATED, _PLAIN = always(Kind.LIST), some_values("n", beside=WORD), some_values("n")
FIRST_N, LAST_N, FIRST_DISTINCT, LAST_DISTINCT, DISTINCT_VALUES, TOP_K, BOTTOM_K = (
    register(Aggregation(name, _LIST, items=same, keeps={kept: size}))
    for name, kept, size in (
        ("first_n", "oldest {n}", _DATED),
        ("last_n", "newest {n}", _DATED),
        ("first_n_distinct", "oldest distinct {n}", _DATED),
        ("last_n_distinct", "newest distinct {n}", _DATED),
        ("distinct_values", "newest distinct {n}", _DATED),
        ("top_k", "largest {n}", _PLAIN),
        ("bottom_k", "smallest {n}", _PLAIN),
    )
)


def first_n(
    of: Expression | str, n: int, *, distinct: bool = False, where: Expression | str | None = None
) -> Measure:
    """List the n oldest values, oldest first; of one instant the smallest first.

    Args:
        of: The column.
        n: How many, 1,000 at most.
        distinct: List each value once, where it came first.
        where: Only events for which this is true.
    """
    return _listed(FIRST_DISTINCT if distinct else FIRST_N, of, n, where)


def last_n(
    of: Expression | str, n: int, *, distinct: bool = False, where: Expression | str | None = None
) -> Measure:
    """List the n newest values, newest first; of one instant the largest first.

    Args:
        of: The column.
        n: How many, 1,000 at most.
        distinct: List each value once, where it came last.
        where: Only events for which this is true.

    >>> print(last_n("merchant", 3))
    last_n(merchant, n=3)
    """
    return _listed(LAST_DISTINCT if distinct else LAST_N, of, n, where)


def top_k(of: Expression | str, k: int, *, where: Expression | str | None = None) -> Measure:
    """List the k largest values, largest first; a value that came twice stands there twice."""
    return _listed(TOP_K, of, k, where, "k")


def bottom_k(of: Expression | str, k: int, *, where: Expression | str | None = None) -> Measure:
    """List the k smallest values, smallest first; a value that came twice stands there twice."""
    return _listed(BOTTOM_K, of, k, where, "k")


def distinct_values(
    of: Expression | str, *, limit: int = 100, where: Expression | str | None = None
) -> Measure:
    """List the different values, sorted; of more than `limit` those that came last."""
    return _listed(DISTINCT_VALUES, of, limit, where, "limit")


def _listed(
    name: str, of: Expression | str, n: int, where: Expression | str | None, called: str = "n"
) -> Measure:
    problems = out_of_range(called, n, 1, MOST_ITEMS)
    return measure(name, of, where=where, parameters={"n": n}, problems=problems)
