"""Short merges: what `accumulators` and `results` say of arrays, said of plain values.

1. Floats add up from 0.0, oldest to newest, by plain additions (`sum` compensates in Python 3.12);
   those that are NaN count as 0.
2. Whole numbers beyond 64 bits are `NULL`, and so is what they are a part of. Quotients are of
   floats: an array rounds both before it divides.
3. Missing values are None. 0.0 and -0.0 are not told apart where one of them is to be chosen.

What must change together: `accumulators`, `results`, and this file.
"""

from bisect import bisect_left
from collections.abc import Callable, Iterable, Sequence
from functools import reduce
from math import inf, isfinite, sqrt
from operator import add, itemgetter
from typing import Any

from featurestore.aggregation.accumulators import (
    Accumulator,
    Counting,
    Deviation,
    Distinct,
    First,
    Last,
    Maximum,
    Minimum,
    Summing,
    Wire,
)
from featurestore.aggregation.accumulators.accumulator import Input
from featurestore.aggregation.arrays import NULL
from featurestore.aggregation.computed import Computed
from featurestore.aggregation.windows import Value
from featurestore.definitions.contract import Kind

Column = Sequence[Any]
State = dict[str, Column]  # for each field of a tile a value per record
Merged = dict[str, Any]
Merge = Callable[[State, slice, Merged], Any]
Result = Callable[[Merged], Value]
Lift = Callable[[Column, Column], Column]  # from the times and the values of events

_NULL = int(NULL)


def is_short(computed: Computed) -> bool:
    """Tell whether a measure is read one value at a time."""
    vectors = any(of.wire is Wire.VECTOR for of in computed.inputs)
    return computed.measure.aggregation in SHORT and not vectors


def present(values: Column, of: Input | None) -> Column:
    """Return values with None where they are missing; `of` is None where none can be."""
    if of is None or of.wire is Wire.TEXT:
        return values if of is None else [None if v == _NULL else v for v in values]
    return [
        None if (v == _NULL and type(v) is int) or v != v else v  # noqa: PLR0124 - NaN
        for v in values
    ]


def fields_of(computed: Computed) -> Sequence[str]:
    """Name the state columns a measure is computed from."""
    of = computed.input
    if of is None:
        return ("n",)
    name = of.name
    match computed.measure.aggregation:
        case "count":
            return (of.counted,)
        case "total" | "mean":
            return (of.counted, f"{name}.sum")
        case "std":
            return (of.counted, f"{name}.sum", f"{name}.m2")
        case "minimum":
            return (f"{name}.min",)
        case "maximum":
            return (f"{name}.max",)
        case "distinct":
            return (f"{name}.hashes",)
        case aggregation:
            return (f"{name}.{aggregation}",)


def lift_of(accumulator: Accumulator, field: str) -> Lift | None:
    """Return how a state column comes of events; None if it is their values as they are."""
    (of,) = accumulator.inputs
    match accumulator:
        case Counting():
            return lambda _, values: [value is not None for value in present(values, of)]
        case Deviation():
            return lambda at, _: [0.0] * len(at)
        case _ if not of.nullable:
            return None
        case Summing():
            return lambda _, values: [0 if v is None else v for v in present(values, of)]
        case _ if field.endswith("_at"):
            return _times_of(of)
        case _:
            return lambda _, values: present(values, of)


def _times_of(of: Input) -> Lift:
    def times(at: Column, values: Column) -> Column:
        pairs = zip(at, present(values, of), strict=True)
        return [None if value is None else time for time, value in pairs]

    return times


def counts(name: str) -> Merge:
    """Return how a state column of counts merges."""
    return lambda state, cut, _: sum(state[name][cut])


def _counting(of: Input) -> Merge:
    return counts(of.counted)


def _summing(of: Input) -> Merge:
    name = f"{of.name}.sum"
    if of.wire is Wire.FLOAT:
        return lambda state, cut, _: _total(state[name][cut])
    return lambda state, cut, _: _whole_total(state[name][cut])


def _deviation(of: Input) -> Merge:
    counted, summed, name = of.counted, f"{of.name}.sum", f"{of.name}.m2"

    def merge(state: State, cut: slice, merged: Merged) -> float:
        if of.wire is Wire.INT and merged[summed] == _NULL:
            return inf
        counts: Sequence[int] = state[counted][cut]
        mean = float(merged[summed]) / max(merged[counted], 1)
        pairs = zip(counts, state[summed][cut], strict=True)
        apart = [0.0 if n == 0 else float(s) / n - mean for n, s in pairs]
        drifts = [float(n) * a for n, a in zip(counts, apart, strict=True)]
        spreads = [d * a for d, a in zip(drifts, apart, strict=True)]
        drift = _total(drifts)
        spread = _total(state[name][cut]) + _total(spreads)
        within: float = spread - drift * drift / max(merged[counted], 1)
        return max(within, 0.0)

    return merge


def _minimum(of: Input) -> Merge:
    name = f"{of.name}.min"
    return lambda state, cut, _: _smallest(state[name][cut])


def _maximum(of: Input) -> Merge:
    name = f"{of.name}.max"
    if of.nullable:
        return lambda state, cut, _: _largest(state[name][cut])
    return lambda state, cut, _: max(state[name][cut])


def _first(of: Input) -> Merge:
    name, at = f"{of.name}.first", f"{of.name}.first_at" if of.nullable else "first"

    def merge(state: State, cut: slice, merged: Merged) -> object:  # noqa: ARG001
        times = state[at][cut]
        oldest = _smallest(times)
        pairs = zip(times, state[name][cut], strict=True)
        return _smallest([value for time, value in pairs if time == oldest])

    return merge


def _last(of: Input) -> Merge:
    name, at = f"{of.name}.last", f"{of.name}.last_at"

    def merge(state: State, cut: slice, merged: Merged) -> object:  # noqa: ARG001
        times = state[at][cut]
        newest = _largest(times)
        pairs = zip(times, state[name][cut], strict=True)
        return _largest([value for time, value in pairs if time == newest])

    def merge_all(state: State, cut: slice, merged: Merged) -> object:  # noqa: ARG001
        last = state["last"]
        tied = bisect_left(last, last[cut.stop - 1], cut.start, cut.stop)
        return max(state[name][tied : cut.stop])

    return merge if of.nullable else merge_all


def _distinct(of: Input) -> Merge:
    """Count a set; only of events, whose values stand for themselves."""
    name = f"{of.name}.hashes"
    return lambda state, cut, _: len(set(state[name][cut]) - {None})


# Which aggregations are read one value at a time; the others need arrays.
SHORT = frozenset(
    {"count", "total", "mean", "std", "minimum", "maximum", "first", "last", "distinct"}
)

MERGES: dict[type, Callable[[Input], Merge]] = {
    Counting: _counting,
    Summing: _summing,
    Deviation: _deviation,
    Minimum: _minimum,
    Maximum: _maximum,
    First: _first,
    Last: _last,
    Distinct: _distinct,
}


def _total(values: Iterable[float]) -> float:
    """Add up floats as arrays do: those that are NaN count as 0."""
    total = reduce(add, values, 0.0)
    if total != total:  # noqa: PLR0124 - NaN
        total = reduce(add, (v for v in values if v == v), 0.0)  # noqa: PLR0124
    return total


def _whole_total(values: Sequence[int]) -> int:
    """Add up whole numbers; `_NULL` if that leaves 64 bits, or one of them had."""
    whole = sum(values)
    return whole if abs(whole) < -_NULL and _NULL not in values else _NULL


def _smallest(values: Column) -> Any:
    return min((v for v in values if v is not None), default=None)


def _largest(values: Column) -> Any:
    return max((v for v in values if v is not None), default=None)


def result_of(computed: Computed) -> Result:
    """Return how a measure is computed from a merged state; see `results.result_of`."""
    of, kind = computed.input, computed.kind
    names = fields_of(computed)
    match computed.measure.aggregation:
        case "total" if of is not None and of.wire is Wire.FLOAT:
            return lambda merged: _finite(merged[names[1]]) if merged[names[0]] else None
        case "total":
            return lambda merged: _whole(merged[names[1]]) if merged[names[0]] else None
        case "mean" if of is not None and of.wire is Wire.INT:
            return lambda merged: _mean_of_whole(merged[names[1]], merged[names[0]])
        case "mean":
            return lambda merged: _quotient(merged[names[1]], merged[names[0]])
        case "std":
            return lambda merged: _root(_quotient(merged[names[2]], merged[names[0]]))
        case "distinct":
            return lambda merged: merged[names[0]] or None
    convert = _CONVERSIONS.get(kind)
    if convert is None:
        return itemgetter(names[0])
    return lambda merged: None if merged[names[0]] is None else convert(merged[names[0]])


_CONVERSIONS: dict[Kind, Callable[[Any], Value]] = {Kind.BOOL: bool, Kind.TEXT: bytes.decode}


def _finite(value: float) -> float | None:
    return value if isfinite(value) else None


def _whole(value: int) -> int | None:
    return None if value == _NULL else value


def _quotient(total: float, count: int) -> float | None:
    return _finite(float(total) / count) if count else None


def _mean_of_whole(total: int, count: int) -> float | None:
    return None if total == _NULL else _quotient(total, count)


def _root(value: float | None) -> float | None:
    return None if value is None else sqrt(value)
