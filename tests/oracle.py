"""The naive answer: every feature from all raw events, one event at a time, in plain Python.

It shares nothing with what it judges but the definitions. Slow and obvious on purpose.
"""

import math
import operator
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from featurestore import Expression, FeatureView, Measure
from featurestore.definitions.window import Window
from featurestore.instants import to_us

Event = Mapping[str, Any]


def answer(view: FeatureView, events: Iterable[Event], now_us: int) -> dict[str, Any]:
    """Return every feature of one entity, whose events these are, as of a moment."""
    features = {}
    for feature in view.outputs:
        inside = [event for event in events if in_window(view, event, feature.window, now_us)]
        features[feature.name] = value(view, feature.measure, inside)
    return features


def in_window(view: FeatureView, event: Event, window: Window, now_us: int) -> bool:
    at = time_of(view, event)
    end = now_us - window.offset_us
    return end - window.width_us < at <= end and passes(view, event)


def passes(view: FeatureView, event: Event) -> bool:
    return view.where is None or evaluate(view.where, event) is True


def time_of(view: FeatureView, event: Event) -> int:
    return to_us(event[view.stream.event_time])


def value(view: FeatureView, measure: Measure, events: Iterable[Event]) -> Any:
    """Boil events down to one value."""
    ordered = sorted(events, key=lambda event: time_of(view, event))
    if measure.of is None:
        return len(ordered)
    timed = [(time_of(view, event), evaluate(measure.of, event)) for event in ordered]
    return RESULTS[measure.aggregation]([(at, v) for at, v in timed if v is not None])


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

Timed = Sequence[tuple[int, Any]]


def _mean(timed: Timed) -> float | None:
    return math.fsum(v for _, v in timed) / len(timed) if timed else None


def _std(timed: Timed) -> float | None:
    if not timed:
        return None
    mean = math.fsum(v for _, v in timed) / len(timed)
    return math.sqrt(math.fsum((v - mean) ** 2 for _, v in timed) / len(timed))


def _total(timed: Timed) -> float | int | None:
    if not timed:
        return None
    values = [v for _, v in timed]
    return math.fsum(values) if isinstance(values[0], float) else sum(values)


def _rank(v: Any) -> Any:
    return v.encode() if isinstance(v, str) else v


def _least(values: Sequence[Any]) -> Any:
    return min(values, key=_rank, default=None)


def _most(values: Sequence[Any]) -> Any:
    return max(values, key=_rank, default=None)


RESULTS: dict[str, Callable[[Timed], Any]] = {
    "count": len,
    "total": _total,
    "mean": _mean,
    "std": _std,
    "minimum": lambda timed: _least([v for _, v in timed]),
    "maximum": lambda timed: _most([v for _, v in timed]),
    "first": lambda timed: _least([v for at, v in timed if at == timed[0][0]]),
    "last": lambda timed: _most([v for at, v in timed if at == timed[-1][0]]),
    "distinct": lambda timed: len({v for _, v in timed}) or None,
}


def same(got: Any, expected: Any, scale: float) -> bool:
    """Tell whether an answer is right: exactly, floats up to rounding.

    Args:
        got: As the library gives it: instants in microseconds, dates in days.
        expected: As the oracle gives it.
        scale: How large the numbers are that went into it.
    """
    if isinstance(expected, datetime):
        expected = to_us(expected)
    elif hasattr(expected, "toordinal"):
        expected = expected.toordinal() - 719_163  # 1970-01-01
    if isinstance(expected, float) and isinstance(got, float):
        return math.isclose(got, expected, rel_tol=1e-9, abs_tol=1e-9 * scale)
    return type(got) is type(expected) and got == expected
