"""Expressions against what Python itself makes of each value."""

import math
import re
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel

from featurestore import Stream, coalesce, column, greatest, if_else, least
from featurestore.definitions.contract import ARROW_TYPES, Kind
from featurestore.definitions.expression import Expression
from featurestore.errors import DefinitionError

PARIS, KOLKATA = ZoneInfo("Europe/Paris"), ZoneInfo("Asia/Kolkata")
x, y = column("x"), column("y")
TEXTS = st.one_of(
    st.sampled_from(
        [
            "",
            " 7 ",
            "-12",
            "1.5",
            "1e3",
            "1e400",
            "1e-100",
            "9" * 19,
            str(2**63 - 1),
            "+5",
            "-" + "0" * 60 + "7",
            "x1",
            "TRUE",
            "0",
            "é",
        ]
    ),
    st.floats().map(str),
    st.integers(-(2**64), 2**64).map(str),
    st.dates().map(str),
    st.text(st.characters(exclude_categories=["Cs"]), max_size=5),
)
FLOATS = st.one_of(
    st.sampled_from([0.0, -0.5, 0.5, 1.5, 2.5, 1e300, -1.0, 2.0**63]), st.floats(-1e6, 1e6)
)
VALUES: dict[Kind, st.SearchStrategy[Any]] = {
    Kind.FLOAT: FLOATS,
    Kind.INT: st.integers(-(2**40), 2**40),
    Kind.TEXT: TEXTS,
    Kind.DATETIME: st.datetimes(
        datetime(1950, 1, 1),  # noqa: DTZ001 - the time zone is drawn beside it
        datetime(2037, 1, 1),  # noqa: DTZ001
        timezones=st.just(UTC),
    ),
}


def finite(function: Callable[[float], float]) -> Callable[[float], float | None]:
    def value(number: float) -> float | None:
        try:
            result = function(number)
        except (ValueError, OverflowError):
            return None
        return result if math.isfinite(result) else None

    return value


def as_int(text: str) -> int | None:
    found = re.fullmatch(r"\s*([-+]?[0-9]+)\s*", text, re.ASCII)
    return int(found[1]) if found and abs(int(found[1])) < 2**63 else None


def as_float(text: str) -> float | None:
    pattern = r"\s*[-+]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][-+]?[0-9]+)?\s*"
    return finite(float)(float(text)) if re.fullmatch(pattern, text, re.ASCII) else None


def as_date(text: str) -> date | None:
    try:
        found = re.fullmatch(r"\s*([0-9]{4}-[0-9]{2}-[0-9]{2})\s*", text, re.ASCII)
        return date.fromisoformat(found[1]) if found else None
    except ValueError:
        return None


def as_bool(text: str) -> bool | None:
    return {"true": True, "1": True, "false": False, "0": False}.get(text.lower())


UNARY: list[tuple[Kind, Expression, Callable[[Any], Any]]] = [
    (Kind.FLOAT, x.round(), lambda v: float(round(v))),
    (Kind.INT, x.round(2), lambda v: v),
    (Kind.FLOAT, x.floor(), lambda v: float(math.floor(v))),
    (Kind.INT, x.ceil(), float),
    (Kind.FLOAT, x.sqrt(), finite(math.sqrt)),
    (Kind.FLOAT, x.log(), finite(math.log)),
    (Kind.INT, x.log1p(), finite(math.log1p)),
    (Kind.FLOAT, x.exp(), finite(math.exp)),
    (Kind.FLOAT, x.cast(int), lambda v: int(v) if abs(v) < 2**63 else None),
    (Kind.INT, x.cast(float), float),
    (Kind.INT, x.cast(bool), bool),
    (Kind.INT, x.cast(str), str),
    (Kind.TEXT, x.cast(int), as_int),
    (Kind.TEXT, x.cast(float), as_float),
    (Kind.TEXT, x.cast(bool), as_bool),
    (Kind.TEXT, x.cast(date), as_date),
    (Kind.DATETIME, x.cast(date), lambda v: v.date()),
    (Kind.DATETIME, x.cast(str), lambda v: v.strftime("%Y-%m-%dT%H:%M:") + f"{v:%S.%f}Z"),
    (Kind.DATETIME, x.year("Europe/Paris"), lambda v: v.astimezone(PARIS).year),
    (Kind.DATETIME, x.month("Europe/Paris"), lambda v: v.astimezone(PARIS).month),
    (Kind.DATETIME, x.day("Europe/Paris"), lambda v: v.astimezone(PARIS).day),
    (Kind.DATETIME, x.hour("Europe/Paris"), lambda v: v.astimezone(PARIS).hour),
    (Kind.DATETIME, x.minute("Asia/Kolkata"), lambda v: v.astimezone(KOLKATA).minute),
    (Kind.DATETIME, x.weekday(), lambda v: v.weekday()),
    (Kind.DATETIME, x.date("Europe/Paris"), lambda v: v.astimezone(PARIS).date()),
    (Kind.TEXT, x.length(), len),
    (Kind.TEXT, x.startswith("1"), lambda v: v.startswith("1")),
    (Kind.TEXT, x.endswith("5"), lambda v: v.endswith("5")),
    (Kind.TEXT, x.contains("."), lambda v: "." in v),
    (Kind.TEXT, x.matches("^[0-9]+[.]"), lambda v: re.search("^[0-9]+[.]", v) is not None),
    (Kind.TEXT, x.slice(1, 3), lambda v: v[1:3]),
    (Kind.TEXT, x.map({"x1": 1, "0": 2}), {"x1": 1, "0": 2}.get),
    (Kind.INT, if_else(x > 3, x, -x), lambda v: v if v > 3 else -v),
    (Kind.INT, least(x, 5), lambda v: min(v, 5)),
    (Kind.FLOAT, greatest(0.5, x), lambda v: max(0.5, v)),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "expression", "truth"), UNARY, ids=lambda p: str(p)[:40])
@settings(max_examples=25)
@given(data=st.data())
def test_each_function_is_that_of_python_and_none_stays_none(
    kind: Kind, expression: Expression, truth: Callable[[Any], Any], data: st.DataObject
) -> None:
    values = data.draw(st.lists(st.one_of(st.none(), VALUES[kind]), max_size=20))
    got = expression.evaluate({"x": pa.array(values, ARROW_TYPES[kind])}).to_pylist()
    for value, result in zip(values, got, strict=True):
        expected = None if value is None else truth(value)
        assert type(result) is type(expected), (value, result, expected)
        if isinstance(expected, float):
            assert math.isclose(result, expected, rel_tol=1e-12, abs_tol=1e-300), value
        else:
            assert result == expected, value


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        (coalesce(x, y), [1, 2, 3, None]),
        (coalesce(x, y, 9), [1, 2, 3, 9]),
        (least(x, y), [1, None, None, None]),
        (greatest(x, y), [3, None, None, None]),
        (if_else(x.is_null(), 0, y), [3, None, 0, 0]),
        (if_else(x > 1, 1.5, 2), [2.0, 1.5, None, None]),
    ],
    ids=str,
)
def test_several_columns_go_together(expression: Expression, expected: list[Any]) -> None:
    columns = {"x": pa.array([1, 2, None, None]), "y": pa.array([3, None, 3, None], pa.int64())}
    assert expression.evaluate(columns).to_pylist() == expected


def test_a_difference_is_in_seconds_of_dates_as_of_instants() -> None:
    days, noon = [date(2026, 1, 3), date(2026, 1, 1)], datetime(2026, 1, 1, 12, tzinfo=UTC)
    dates = {"x": pa.array(days[:1]), "y": pa.array(days[1:])}
    assert (x - y).evaluate(dates).to_pylist() == [172800.0]
    later = noon + timedelta(seconds=1.5)
    instants = {
        n: pa.array([v], ARROW_TYPES[Kind.DATETIME]) for n, v in (("x", later), ("y", noon))
    }
    assert (x - y).evaluate(instants).to_pylist() == [1.5]


HUGE = st.one_of(
    st.sampled_from([2**63 - 1, -(2**63) + 1, 2**62, -(2**62), 2**32, 3, 10, 0, -1]),
    st.integers(-(2**63) + 1, 2**63 - 1),
)


@settings(max_examples=200)
@given(left=HUGE, right=HUGE)
def test_whole_numbers_beyond_64_bits_are_missing(left: int, right: int) -> None:
    columns = {"x": pa.array([left, None]), "y": pa.array([right, right])}
    for expression, exact in ((x + y, left + right), (x - y, left - right), (x * y, left * right)):
        fits = exact if abs(exact) < 2**63 else None
        assert expression.evaluate(columns).to_pylist() == [fits, None], expression


def test_lengths_are_whole_numbers_like_others() -> None:
    long = {"x": pa.array(["a" * 50_000])}
    assert (x.length() * x.length()).evaluate(long).to_pylist() == [50_000**2]


ODD = 2**53 + 1  # no float is that


@pytest.mark.parametrize(
    "expression",
    [
        least(x, y), coalesce(x, y), if_else(y > 2, x, y), x.fill_null(y), coalesce(x, 0.5),
        greatest(x, 0.5), if_else(x > 2, x, 0.5), y.fill_null(ODD) + x,
    ],
    ids=str,
)  # fmt: skip
def test_whole_numbers_no_float_is_go_together_with_floats(expression: Expression) -> None:
    columns = {"x": pa.array([ODD, 1]), "y": pa.array([2.0**60, 1.0])}
    assert expression.evaluate(columns).type == pa.float64()


def test_whole_numbers_are_filled_and_mapped_by_what_they_are() -> None:
    columns = {"x": pa.array([1, None]), "y": pa.array([2.5, 2.5])}
    assert x.fill_null(2.0).evaluate(columns).to_pylist() == [1, 2]
    assert x.fill_null(y).evaluate(columns).to_pylist() == [1.0, 2.5]
    assert x.map({1.5: "half", 2: "two"}).evaluate(columns).to_pylist() == [None, None]


@pytest.mark.parametrize("digits", [0, 1, 2, 15, 20, 300])
@given(value=st.floats(allow_nan=False, allow_infinity=False))
def test_any_float_is_rounded(digits: int, value: float) -> None:
    (rounded,) = x.round(digits).evaluate({"x": pa.array([value])}).to_pylist()
    assert math.isclose(rounded, value, rel_tol=1e-15, abs_tol=0.5000001 * 10.0**-digits)


def test_what_is_beyond_the_calendar_is_missing() -> None:
    last = pa.array([datetime(9999, 12, 31, 23, 59, tzinfo=UTC)], ARROW_TYPES[Kind.DATETIME])
    for expression in (x.date("Europe/Paris"), x + timedelta(days=1), x.date()):
        (found,) = expression.evaluate({"x": last}).to_pylist()
        assert found == (date(9999, 12, 31) if "UTC" in str(expression) else None)


def test_a_date_moved_by_a_duration_is_an_instant() -> None:
    days = {"x": pa.array([date(2026, 1, 31), date(9999, 12, 31)])}
    moved = (x + timedelta(days=1)).evaluate(days)
    assert moved.type == ARROW_TYPES[Kind.DATETIME]
    assert moved.to_pylist() == [datetime(2026, 2, 1, tzinfo=UTC), None]


class Sale(BaseModel):
    x: str
    y: float
    at: datetime


@pytest.mark.parametrize(
    ("expression", "problem"),
    [
        (x.matches("("), "missing \\)"),
        (column("at").hour("Mars/Olympus"), "Mars/Olympus"),
        (x.hour(), "hour\\(x, 'UTC'\\) does not go together"),
        (column("at").cast(int), "is no int; take year"),
        (x.cast(list), "cast makes int, float, bool, str or date, not <class 'list'>"),
        (column("y").round(-2), "round takes 0 to 300 digits"),
        (column("y").length(), "does not go together"),
        (x / 2, "string is no number; cast\\(float\\) makes one of it"),
        (x.sqrt(), "string is no number"),
        (x.length().fill_null(0.5), "0.5 is no int; coalesce makes floats of all"),
        (if_else(x, 1, 2), "does not go together"),
        (coalesce(x, column("y")), "does not go together"),
        (least(x, 1), "does not go together"),
        (x.map({"a": 1, "b": "c"}), "does not go together"),
        (column("y").startswith("a"), "does not go together"),
        (column("amont").round(), "column 'amont' is not in stream 'sales'"),
        (column("y") == 2**70, "int too large"),
        (x == "\ud800", "surrogates not allowed"),
        (column("y").round("2"), "it does not take '2'"),
        (x.startswith(column("x")), "it takes a constant, and no column, here"),
        (x.matches(None), "it does not take None"),
        (coalesce(1, 2), "coalesce\\(1, 2\\) uses no column"),
        (column("y").is_in(1, None), "compares with None, which is never true; write .is_null"),
    ],
    ids=str,
)
def test_what_cannot_be_worked_out_is_found_before_any_event(
    expression: Expression, problem: str
) -> None:
    with pytest.raises(DefinitionError, match=problem):
        Stream("sales", contract=Sale, event_time="at", derive={"z": expression})
