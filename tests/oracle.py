"""The naive answer: every feature from all raw events, one event at a time, in plain Python.

It shares nothing with what it judges but the definitions. Slow and obvious on purpose.
"""

import math
import operator
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from featurestore import Expression, FeatureView, Measure
from featurestore.definitions.window import Window
from featurestore.instants import instant_text, to_us

Event = Mapping[str, Any]


def answer(view: FeatureView, events: Iterable[Event], now_us: int) -> dict[str, Any]:
    """Return every feature of one entity, whose events these are, as of a moment."""
    features = {}
    for feature in view.outputs:
        inside = events_in(view, events, feature.window, now_us)
        features[feature.name] = value(view, feature.measure, inside, feature.window, now_us)
    return features


def events_in(
    view: FeatureView, events: Iterable[Event], window: Window, now_us: int
) -> list[Event]:
    """Return the events in a window, in the order given."""
    inside = [event for event in events if in_window(view, event, window, now_us)]
    times = sorted((time_of(view, event) for event in inside), reverse=True)
    if window.kind == "last":
        start = times[: window.events][-1] if times else 0
    elif window.kind == "session":
        start = end_of(window, now_us)
        for at in times:
            if start - at > window.gap_us:
                break
            start = at
    else:
        return inside
    return [event for event in inside if time_of(view, event) >= start]


def in_window(view: FeatureView, event: Event, window: Window, now_us: int) -> bool:
    at = time_of(view, event)
    return passes(view, event) and covers(window, at, now_us - window.offset_us)


def covers(window: Window, at: int, moment: int) -> bool:
    if window.kind == "lifetime":
        return at <= moment
    if window.kind == "tumbling":
        return at <= moment and at // window.width_us == moment // window.width_us
    if window.kind == "complete":
        return at // window.width_us == moment // window.width_us - 1
    return moment - window.width_us < at <= moment


def end_of(window: Window, now_us: int) -> int:
    moment = now_us - window.offset_us
    if window.kind == "complete":
        return moment // window.width_us * window.width_us - 1
    return moment


def passes(view: FeatureView, event: Event) -> bool:
    return view.where is None or evaluate(view.where, event) is True


def time_of(view: FeatureView, event: Event) -> int:
    return to_us(event[view.stream.event_time])


def value(
    view: FeatureView, measure: Measure, events: Iterable[Event], window: Window, now_us: int
) -> Any:
    """Boil events down to one value."""
    ordered = sorted(events, key=lambda event: time_of(view, event))
    if measure.parts:
        over, under = (value(view, part, ordered, window, now_us) for part in measure.parts)
        return over / under if over is not None and under else None
    rows = []
    for event in ordered:
        found = [evaluate(expression, event) for expression in measure.inputs]
        if None not in found:
            rows.append((time_of(view, event), *found))
    case = Case(rows, dict(measure.parameters), window, now_us)
    return RESULTS[measure.aggregation](case)


@dataclass(frozen=True)
class Case:
    """What one value comes of: (time, value, …) of each event that has all values, by time."""

    rows: list[tuple[Any, ...]]
    parameters: dict[str, Any]
    window: Window
    now_us: int

    @property
    def values(self) -> list[Any]:
        return [row[1] for row in self.rows]

    def __getitem__(self, parameter: str) -> Any:
        return self.parameters[parameter]


def evaluate(expression: Expression, event: Event) -> Any:
    """Work an expression out for one event; any operation on None gives None."""
    if expression.operator == "column":
        return event[str(expression.operands[0])]
    values = [evaluate(o, event) if isinstance(o, Expression) else o for o in expression.operands]
    if expression.operator == "if":
        return values[1] if values[0] is True else None
    if expression.operator == "is_null":
        return values[0] is None
    if any(v is None for v in values):
        return None
    return _OPERATORS[expression.operator](*values)


_OPERATORS: dict[str, Callable[..., Any]] = {
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "not": operator.not_,
}


def _added(vectors: Sequence[list[float]]) -> list[float] | None:
    """Add vectors up, oldest first, by plain additions."""
    if not vectors:
        return None
    sums = [0.0] * len(vectors[0])
    for vector in vectors:
        for place, component in enumerate(vector):
            sums[place] += component
    return sums


def _mean(case: Case) -> float | list[float] | None:
    if case.rows and isinstance(case.values[0], list):
        sums = _added(case.values)
        return [component / len(case.rows) for component in sums or []]
    return math.fsum(case.values) / len(case.rows) if case.rows else None


def _moment(case: Case, power: int, less: int = 0) -> float | None:
    mean = _mean(case)
    if mean is None or len(case.rows) <= less:
        return None
    return math.fsum((v - mean) ** power for v in case.values) / (len(case.rows) - less)


def _root(squared: float | None) -> float | None:
    return None if squared is None else math.sqrt(squared)


def _standardised(case: Case, power: int) -> float | None:
    variance = _moment(case, 2)
    if not variance:
        return None
    return _moment(case, power) / variance ** (power / 2)


def _kurtosis(case: Case) -> float | None:
    standardised = _standardised(case, 4)
    return None if standardised is None else standardised - 3


def _total(case: Case) -> float | int | list[float] | None:
    values = case.values
    if not values:
        return None
    if isinstance(values[0], list):
        return _added(values)
    return math.fsum(values) if isinstance(values[0], float) else sum(values)


def _rank(v: Any) -> Any:
    return v.encode() if isinstance(v, str) else v


def _least(values: Sequence[Any]) -> Any:
    return min(values, key=_rank, default=None)


def _most(values: Sequence[Any]) -> Any:
    return max(values, key=_rank, default=None)


def _by_time(case: Case, *, newest: bool) -> list[Any]:
    rows = sorted(case.rows, key=lambda row: (row[0], _rank(row[1])), reverse=newest)
    return [row[1] for row in rows]


def _once(values: Sequence[Any]) -> list[Any]:
    return list(dict.fromkeys(values))


def _since(case: Case, place: int) -> float | None:
    return (case.now_us - case.rows[place][0]) / 1e6 if case.rows else None


def _weights(case: Case) -> list[float]:
    end = end_of(case.window, case.now_us)
    return [0.5 ** ((end - row[0]) / case["half_life_us"]) for row in case.rows]


def _length(case: Case) -> int:
    if case.window.kind != "tumbling":
        return case.window.width_us
    return (case.now_us - case.window.offset_us) % case.window.width_us + 1


def _decayed_total(case: Case) -> float | None:
    if not case.rows:
        return None
    return math.fsum(w * v for w, v in zip(_weights(case), case.values, strict=True))


def _decayed_mean(case: Case) -> float | None:
    weight = math.fsum(_weights(case))
    return _decayed_total(case) / weight if weight else None


def _covariance(case: Case) -> float | None:
    if not case.rows:
        return None
    x, y = (math.fsum(row[place] for row in case.rows) / len(case.rows) for place in (1, 2))
    return math.fsum((row[1] - x) * (row[2] - y) for row in case.rows) / len(case.rows)


def _correlation(case: Case) -> float | None:
    if not case.rows:
        return None
    spreads = []
    for place in (1, 2):
        mean = math.fsum(row[place] for row in case.rows) / len(case.rows)
        spreads.append(math.fsum((row[place] - mean) ** 2 for row in case.rows))
    spread = math.sqrt(spreads[0]) * math.sqrt(spreads[1])
    return _covariance(case) * len(case.rows) / spread if spread else None


def _frequent(case: Case) -> dict[Any, int] | None:
    counts: dict[Any, int] = {}
    for v in case.values:
        one = v + 0.0 if isinstance(v, float) else v  # 0.0 and -0.0 are one value
        counts[one] = counts.get(one, 0) + 1
    ordered = sorted(counts.items(), key=lambda item: (-item[1], _rank(item[0])))
    return dict(ordered[: case["n"]]) or None


def _histogram(case: Case) -> list[int] | None:
    counts = [0] * (len(case["bins"]) + 1)
    for v in case.values:
        counts[sum(v >= edge for edge in case["bins"])] += 1
    return counts if case.rows else None


def _quantiles(case: Case) -> list[float] | None:
    ordered = sorted(float(v) for v in case.values)
    if not ordered:
        return None
    return [
        next(v for place, v in enumerate(ordered, 1) if place >= q * len(ordered) - 1e-9)
        for q in case["q"]
    ]


RESULTS: dict[str, Callable[[Case], Any]] = {
    "count": lambda case: len(case.rows),
    "rate": lambda case: len(case.rows) * case["per_us"] / _length(case),
    "total": _total,
    "mean": _mean,
    "std": lambda case: _root(_moment(case, 2)),
    "variance": lambda case: _moment(case, 2),
    "sample_std": lambda case: _root(_moment(case, 2, less=1)),
    "sample_variance": lambda case: _moment(case, 2, less=1),
    "skewness": lambda case: _standardised(case, 3),
    "kurtosis": _kurtosis,
    "minimum": lambda case: _least(case.values),
    "maximum": lambda case: _most(case.values),
    "min_by": lambda case: _least(
        [row[1] for row in case.rows if row[2] == _least([r[2] for r in case.rows])]
    ),
    "max_by": lambda case: _most(
        [row[1] for row in case.rows if row[2] == _most([r[2] for r in case.rows])]
    ),
    "first": lambda case: next(iter(_by_time(case, newest=False)), None),
    "last": lambda case: next(iter(_by_time(case, newest=True)), None),
    "time_since_first": lambda case: _since(case, 0),
    "time_since_last": lambda case: _since(case, -1),
    "first_n": lambda case: _by_time(case, newest=False)[: case["n"]] or None,
    "last_n": lambda case: _by_time(case, newest=True)[: case["n"]] or None,
    "first_n_distinct": lambda case: _once(_by_time(case, newest=False))[: case["n"]] or None,
    "last_n_distinct": lambda case: _once(_by_time(case, newest=True))[: case["n"]] or None,
    "distinct_values": lambda case: (
        sorted(_once(_by_time(case, newest=True))[: case["n"]], key=_rank) or None
    ),
    "top_k": lambda case: sorted(case.values, key=_rank, reverse=True)[: case["n"]] or None,
    "bottom_k": lambda case: sorted(case.values, key=_rank)[: case["n"]] or None,
    "distinct": lambda case: len(set(case.values)) or None,
    "covariance": _covariance,
    "correlation": _correlation,
    "decayed_count": lambda case: math.fsum(_weights(case)),
    "decayed_total": _decayed_total,
    "decayed_mean": _decayed_mean,
    "most_frequent": _frequent,
    "counts_by": _frequent,
    "histogram": _histogram,
    "quantile": lambda case: next(iter(_quantiles(case) or []), None),
    "quantiles": _quantiles,
}


def same(got: Any, expected: Any, scale: float) -> bool:
    """Tell whether an answer is right: exactly, floats up to rounding.

    Args:
        got: As the library gives it: instants in microseconds, dates in days, both as text in
            lists and maps.
        expected: As the oracle gives it.
        scale: How large the numbers are that went into it.
    """
    if isinstance(expected, list):
        together = isinstance(got, list) and len(got) == len(expected)
        return together and all(
            same(a, _text(b), scale) for a, b in zip(got, expected, strict=True)
        )
    if isinstance(expected, dict):
        keys = {
            str(_text(key)).lower() if isinstance(key, bool) else str(_text(key)): count
            for key, count in expected.items()
        }
        return got == keys and list(got) == list(keys)
    if isinstance(expected, datetime):
        expected = to_us(expected)
    elif isinstance(expected, date):
        expected = expected.toordinal() - 719_163  # 1970-01-01
    if isinstance(expected, float) and isinstance(got, float):
        return math.isclose(got, expected, rel_tol=1e-9, abs_tol=1e-9 * scale)
    return type(got) is type(expected) and got == expected


def _text(item: Any) -> Any:
    if isinstance(item, datetime):
        return instant_text(to_us(item))
    return item.isoformat() if isinstance(item, date) else item
