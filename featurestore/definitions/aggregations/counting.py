"""count, rate: how many events."""

from datetime import timedelta

from featurestore.definitions.aggregation import Aggregation, always, register
from featurestore.definitions.contract import Kind
from featurestore.definitions.expression import Expression
from featurestore.definitions.keeping import a_count
from featurestore.definitions.measure import Measure, measure
from featurestore.instants import SECOND, duration_us

COUNT = register(
    Aggregation(
        "count", always(Kind.INT), vectors=True, counts=True, invertible=True, keeps={"n": a_count}
    )
)
RATE = register(
    Aggregation(
        "rate", always(Kind.FLOAT), vectors=True, counts=True, invertible=True, keeps={"n": a_count}
    )
)


def count(of: Expression | str | None = None, *, where: Expression | str | None = None) -> Measure:
    """Count events; with a column, those that have a value there. Never null: no events is 0.

    >>> from featurestore.definitions.expression import column
    >>> print(count(), count("coupon"), count(where=column("amount") > 100))
    count() count(coupon) count(if((amount > 100), (amount > 100)))
    """
    return Measure(COUNT, _counted(of, where))


def rate(
    of: Expression | str | None = None,
    *,
    per: str | timedelta = "1s",
    where: Expression | str | None = None,
) -> Measure:
    """Count events per second, or per any duration, on average over the window. Never null.

    >>> print(rate(per="1m"))
    rate(per_us=60000000)
    """
    try:
        per_us = duration_us(per)
    except ValueError as error:
        return Measure(RATE, _counted(of, where), (("per_us", SECOND),), problems=(f"per {error}",))
    return Measure(RATE, _counted(of, where), (("per_us", per_us),))


def _counted(of: Expression | str | None, where: Expression | str | None) -> tuple[Expression, ...]:
    of = where if of is None else of
    return () if of is None else measure(COUNT, of, where=where).inputs
