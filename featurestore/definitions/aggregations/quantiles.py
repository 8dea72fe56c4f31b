"""quantile, quantiles, median: what share of the values lies below."""

from collections.abc import Sequence

from featurestore.definitions.aggregation import Aggregation, always, register
from featurestore.definitions.contract import Kind
from featurestore.definitions.expression import Expression
from featurestore.definitions.keeping import at_most
from featurestore.definitions.measure import Measure, measure

MOST_BYTES = 7200  # of a KLL sketch with k = 200 of 2**48 values; of a million it has 5,000

_RANKS = {"ranks": at_most(MOST_BYTES)}
QUANTILE = register(Aggregation("quantile", always(Kind.FLOAT), numbers=(0,), keeps=_RANKS))
QUANTILES = register(
    Aggregation(
        "quantiles",
        always(Kind.LIST),
        items=always(Kind.FLOAT),
        numbers=(0,),
        keeps=_RANKS,
    )
)


def quantile(of: Expression | str, q: float, *, where: Expression | str | None = None) -> Measure:
    """Take the smallest value that at least the share q of the values does not exceed.

    Always one of the values: no interpolation. Exact up to 256 values in the window (and for as
    long as the row holds its events), then its rank is off by 1.4 % at most, 99 times in 100 (a KLL
    sketch with k = 200 of Apache DataSketches). Memory in a tile: 8 bytes a value up to 256, then
    1 to 5 KiB, 7 KiB at most.

    >>> print(quantile("amount", 0.99))
    quantile(amount, q=(0.99,))
    """
    return _quantiles(QUANTILE, of, [q], where)


def median(of: Expression | str, *, where: Expression | str | None = None) -> Measure:
    """Take the lower median: `quantile` of 0.5."""
    return quantile(of, 0.5, where=where)


def quantiles(
    of: Expression | str, qs: Sequence[float], *, where: Expression | str | None = None
) -> Measure:
    """List several quantiles of a column; see `quantile`."""
    return _quantiles(QUANTILES, of, qs, where)


def _quantiles(
    name: str, of: Expression | str, qs: Sequence[float], where: Expression | str | None
) -> Measure:
    wrong = [q for q in qs if not isinstance(q, int | float) or not 0 <= q <= 1]
    problems = tuple(f"a quantile must be from 0 to 1, got {q!r}" for q in wrong)
    if not qs:
        problems = ("name at least one quantile, as in [0.5, 0.99]",)
    return measure(name, of, where=where, parameters={"q": tuple(qs)}, problems=problems)
