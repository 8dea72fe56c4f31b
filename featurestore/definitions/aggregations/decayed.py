"""decayed_count, decayed_total, decayed_mean: the more recent, the more it weighs."""

from datetime import timedelta

from featurestore.definitions.aggregation import Aggregation, always, register
from featurestore.definitions.contract import Kind
from featurestore.definitions.expression import Expression
from featurestore.definitions.keeping import a_count, a_word
from featurestore.definitions.measure import Measure, measure
from featurestore.instants import SECOND, duration_us

_FLOAT = always(Kind.FLOAT)
_N, _SUM = {"n decayed {half_life_us}": a_word}, {"sum decayed {half_life_us}": a_word}
DECAYED_COUNT = register(Aggregation("decayed_count", _FLOAT, counts=True, keeps=_N))
DECAYED_TOTAL = register(
    Aggregation("decayed_total", _FLOAT, numbers=(0,), keeps={"n": a_count, **_SUM})
)
DECAYED_MEAN = register(Aggregation("decayed_mean", _FLOAT, numbers=(0,), keeps={**_N, **_SUM}))


def decayed_count(
    of: Expression | str | None = None,
    *,
    half_life: str | timedelta,
    where: Expression | str | None = None,
) -> Measure:
    """Count events, each half as much for every `half_life` that passed since. Never null.

    The age of an event is counted until the window's end, at the moment of reading.

    >>> print(decayed_count(half_life="1h"))
    decayed_count(half_life_us=3600000000)
    """
    of = where if of is None else of
    return _decayed(DECAYED_COUNT, of, half_life, where)


def decayed_total(
    of: Expression | str, *, half_life: str | timedelta, where: Expression | str | None = None
) -> Measure:
    """Add up numbers, each half as much for every `half_life` that passed since."""
    return _decayed(DECAYED_TOTAL, of, half_life, where)


def decayed_mean(
    of: Expression | str, *, half_life: str | timedelta, where: Expression | str | None = None
) -> Measure:
    """Take the mean of numbers, each weighing half as much for every `half_life` since."""
    return _decayed(DECAYED_MEAN, of, half_life, where)


def _decayed(
    name: str,
    of: Expression | str | None,
    half_life: str | timedelta,
    where: Expression | str | None,
) -> Measure:
    inputs = () if of is None else (of,)
    try:
        parameters = {"half_life_us": duration_us(half_life)}
    except ValueError as error:
        problems = (f"half_life {error}",)
        return measure(name, *inputs, parameters={"half_life_us": SECOND}, problems=problems)
    return measure(name, *inputs, where=where, parameters=parameters)
