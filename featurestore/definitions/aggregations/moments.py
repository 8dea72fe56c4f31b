"""std, variance, skewness, kurtosis: how values lie about their mean."""

from featurestore.definitions.aggregation import Aggregation, always, register
from featurestore.definitions.contract import Kind
from featurestore.definitions.expression import Expression
from featurestore.definitions.keeping import a_count, a_word
from featurestore.definitions.measure import Measure, measure

_FLOAT = always(Kind.FLOAT)
_SECOND = {"n": a_count, "sum": a_word, "m2": a_word}
_THIRD = {**_SECOND, "m3": a_word}
STD, VARIANCE, SAMPLE_STD, SAMPLE_VARIANCE, SKEWNESS, KURTOSIS = (
    register(Aggregation(name, _FLOAT, numbers=(0,), keeps=keeps))
    for name, keeps in (
        ("std", _SECOND),
        ("variance", _SECOND),
        ("sample_std", _SECOND),
        ("sample_variance", _SECOND),
        ("skewness", _THIRD),
        ("kurtosis", {**_THIRD, "m4": a_word}),
    )
)


def std(
    of: Expression | str, *, sample: bool = False, where: Expression | str | None = None
) -> Measure:
    """Take the standard deviation of the population (divisor n); one value gives 0.

    With `sample` that of a sample (divisor n - 1); one value gives none.
    """
    return measure(SAMPLE_STD if sample else STD, of, where=where)


def variance(
    of: Expression | str, *, sample: bool = False, where: Expression | str | None = None
) -> Measure:
    """Take the variance of the population (divisor n), or of a sample (divisor n - 1)."""
    return measure(SAMPLE_VARIANCE if sample else VARIANCE, of, where=where)


def skewness(of: Expression | str, *, where: Expression | str | None = None) -> Measure:
    """Take the skewness of the population: which side the longer tail is on.

    The third moment about the mean over the cube of the deviation; none where all values are alike.
    """
    return measure(SKEWNESS, of, where=where)


def kurtosis(of: Expression | str, *, where: Expression | str | None = None) -> Measure:
    """Take the excess kurtosis of the population: how heavy the tails are; 0 for a normal one.

    The fourth moment about the mean over the squared variance, less 3; none where all values are
    alike.
    """
    return measure(KURTOSIS, of, where=where)
