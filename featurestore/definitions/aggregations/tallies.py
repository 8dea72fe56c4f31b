"""most_frequent, counts_by, histogram: how often which value."""

from collections.abc import Sequence
from itertools import pairwise
from math import isnan

from featurestore.definitions.aggregation import Aggregation, always, register, same
from featurestore.definitions.contract import Kind
from featurestore.definitions.expression import Expression
from featurestore.definitions.keeping import WORD, Held, Parameters, some_values
from featurestore.definitions.measure import Measure, measure, out_of_range

MOST_VALUES = 4096


def _bins(of: Sequence[Held], parameters: Parameters) -> int:  # noqa: ARG001 - a rule
    """A count for each bin."""
    edges = parameters["bins"]
    assert isinstance(edges, tuple)
    return WORD * (1 + len(edges))


_TALLY = {"tally {capacity}": some_values("capacity", beside=WORD)}
MOST_FREQUENT, COUNTS_BY = (
    register(Aggregation(name, always(Kind.MAP), items=same, keeps=_TALLY))
    for name in ("most_frequent", "counts_by")
)
HISTOGRAM = register(
    Aggregation(
        "histogram",
        always(Kind.LIST),
        items=always(Kind.INT),
        numbers=(0,),
        keeps={"bins {bins}": _bins},
    )
)


def most_frequent(
    of: Expression | str, k: int, *, capacity: int = 256, where: Expression | str | None = None
) -> Measure:
    """Map the k most frequent values to how often they came, most frequent first.

    Exact up to `capacity` different values in the window. Beyond, a count may be too low by at
    most n / (capacity + 1), n being the number of events, and never too high; a value that came
    more often than that is not missed (Misra and Gries 1982, merged as by Agarwal et al. 2012).

    >>> print(most_frequent("merchant", 3))
    most_frequent(merchant, n=3, capacity=256)
    """
    problems = (
        *out_of_range("k", k, 1, MOST_VALUES),
        *out_of_range("capacity", capacity, k if isinstance(k, int) else 1, MOST_VALUES),
    )
    parameters = {"n": k, "capacity": capacity}
    return measure(MOST_FREQUENT, of, where=where, parameters=parameters, problems=problems)


def counts_by(
    of: Expression | str, *, capacity: int = 256, where: Expression | str | None = None
) -> Measure:
    """Map every value to how often it came, most frequent first; bounds as `most_frequent`."""
    problems = out_of_range("capacity", capacity, 1, MOST_VALUES)
    parameters = {"n": capacity, "capacity": capacity}
    return measure(COUNTS_BY, of, where=where, parameters=parameters, problems=problems)


def histogram(
    of: Expression | str, *, bins: Sequence[float], where: Expression | str | None = None
) -> Measure:
    """Count values by bin: below the first edge, between the edges, from the last edge on.

    Args:
        of: A column of numbers.
        bins: The edges, rising; a value on an edge belongs to the bin above.
        where: Only events for which this is true.

    >>> print(histogram("amount", bins=[10, 100]))
    histogram(amount, bins=(10.0, 100.0))
    """
    try:
        edges = tuple(float(edge) for edge in bins)
    except (TypeError, ValueError):
        edges = ()
    rising = all(a < b for a, b in pairwise(edges)) and not any(map(isnan, edges))
    problems = () if edges and rising else (f"bins must be numbers that rise, got {bins!r}",)
    return measure(HISTOGRAM, of, where=where, parameters={"bins": edges}, problems=problems)
