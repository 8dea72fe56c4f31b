"""ratio, covariance, correlation: two things together."""

from featurestore.definitions.aggregation import Aggregation, always, register
from featurestore.definitions.contract import Kind
from featurestore.definitions.expression import Expression, as_expression
from featurestore.definitions.keeping import a_count, a_value, a_word
from featurestore.definitions.measure import Measure, measure

_FLOAT = always(Kind.FLOAT)
RATIO = register(Aggregation("ratio", _FLOAT, invertible=True))
_TOGETHER = {"n": a_count, "sum": a_value, "products": a_word}
COVARIANCE = register(Aggregation("covariance", _FLOAT, numbers=(0, 1), keeps=_TOGETHER))
CORRELATION = register(
    Aggregation("correlation", _FLOAT, numbers=(0, 1), keeps={**_TOGETHER, "m2": a_value})
)


def ratio(of: Measure, to: Measure) -> Measure:
    """Divide one aggregation by another over the same window; none where the second is 0.

    >>> from featurestore.definitions.aggregations.counting import count
    >>> from featurestore.definitions.aggregations.summing import total
    >>> print(ratio(total("amount"), count()))
    ratio(total(amount), count())
    """
    parts = tuple(part for part in (of, to) if isinstance(part, Measure))
    wrong = tuple(
        f"{part!r} is no aggregation, such as count()"
        for part in (of, to)
        if not isinstance(part, Measure)
    )
    return Measure(RATIO, parts=parts, problems=wrong)


def covariance(
    x: Expression | str, y: Expression | str, *, where: Expression | str | None = None
) -> Measure:
    """Take the covariance of two columns of the population, over events that have both."""
    return measure(COVARIANCE, *_both(x, y), where=where)


def correlation(
    x: Expression | str, y: Expression | str, *, where: Expression | str | None = None
) -> Measure:
    """Take Pearson's correlation of two columns, over events that have both.

    None where one of them never changes.
    """
    return measure(CORRELATION, *_both(x, y), where=where)


def _both(x: Expression | str, y: Expression | str) -> tuple[Expression, Expression]:
    one, other = as_expression(x), as_expression(y)
    return one.otherwise_null(~other.is_null()), other.otherwise_null(~one.is_null())
