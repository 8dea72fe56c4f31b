"""std, variance, skewness, kurtosis: how values lie about their mean."""

from featurestore.definitions.aggregation import Aggregation, always, register
from featurestore.definitions.contract import Kind
from featurestore.definitions.expression import Expression
from featurestore.definitions.measure import Measure, measure

_FLOAT = always(Kind.FLOAT)
STD, VARIANCE, SAMPLE_STD, SAMPLE_VARIANCE, SKEWNESS, KURTOSIS = (
    register(Aggregation(name, _FLOAT, numbers=(0,)))
    for name in ("std", "variance", "sample_std", "sample_variance", "skewness", "kurtosis")
)


def std(of: Expression | str, *, sample: bool = False, where: Expression | None = None) -> Measure:
    """Take the standard deviation of the population (divisor n); one value gives 0.

    With `sample` that of a sample (divisor n - 1); one value gives none.
    """
    return measure(SAMPLE_STD if sample else STD, of, where=where)


def variance(
    of: Expression | str, *, sample: bool = False, where: Expression | None = None
) -> Measure:
    """Take the variance of the population (divisor n), or of a sample (divisor n - 1)."""
    return measure(SAMPLE_VARIANCE if sample else VARIANCE, of, where=where)


def skewness(of: Expression | str, *, where: Expression | None = None) -> Measure:
    """Take the skewness of the population: which side the longer tail is on.

    The third moment about the mean over the cube of the deviation; none where all values are alike.
    """
    return measure(SKEWNESS, of, where=where)


def kurtosis(of: Expression | str, *, where: Expression | None = None) -> Measure:
    """Take the excess kurtosis of the population: how heavy the tails are; 0 for a normal one.

    The fourth moment about the mean over the squared variance, less 3; none where all values are
    alike.
    """
    return measure(KURTOSIS, of, where=where)
