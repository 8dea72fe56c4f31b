"""Lists of so many floats as columns, and what can be said of them."""

from collections.abc import Callable, Mapping
from datetime import datetime
from decimal import Decimal
from typing import Annotated, Any

import annotated_types
import pyarrow as pa
import pytest
from pydantic import BaseModel, Field, conlist, create_model

from featurestore import (
    Entity,
    Expression,
    FeatureService,
    FeatureView,
    Latest,
    Measure,
    Stream,
    column,
    count,
    decayed_total,
    distinct,
    first,
    last,
    last_n,
    max_by,
    maximum,
    mean,
    median,
    minimum,
    most_frequent,
    rate,
    ratio,
    std,
    time_since_last,
    total,
)
from featurestore.definitions.contract import Column, Kind, contract_columns
from featurestore.errors import DefinitionError

Eight = Annotated[list[float], Field(min_length=8, max_length=8)]


class Deep(BaseModel):
    taste: Eight


class Viewed(BaseModel):
    user: str
    at: datetime
    price: float
    taste: Eight
    mood: Annotated[list[float], Field(min_length=2, max_length=2)] | None = None
    deep: Deep | None = None
    free: list[float] = []
    nearly: Annotated[list[float], Field(min_length=7, max_length=8)] = [0.0] * 7
    least: Annotated[list[float], Field(min_length=2)] = [0.0] * 2
    whole: Annotated[list[int], Field(min_length=2, max_length=2)] = [0, 0]
    holes: Annotated[list[float | None], Field(min_length=2, max_length=2)] = [0.0, 0.0]
    long: Annotated[list[float], Field(min_length=4097, max_length=4097)] | None = None
    tags: list[str] = []


def stream(**options: Any) -> Stream:
    return Stream("views", contract=Viewed, event_time="at", **options)


STREAM = stream()
USER = Entity("user", keys=["user"])


def view(features: Mapping[str, Measure], **options: Any) -> FeatureView:
    sound: dict[str, Any] = {"stream": STREAM, "entity": USER, "windows": ["1h"]}
    return FeatureView("v", features=features, **(sound | options))


def problem_of(make: Callable[[], object]) -> str:
    with pytest.raises(DefinitionError) as raised:
        make()
    (problem,) = raised.value.problems
    return problem


@pytest.mark.parametrize(
    ("annotation", "size", "nullable"),
    [
        (Eight, 8, False),
        (Eight | None, 8, True),
        (conlist(float, min_length=8, max_length=8), 8, False),
        (conlist(float, min_length=8, max_length=8) | None, 8, True),
        (Annotated[list[float] | None, Field(min_length=3, max_length=3)], 3, True),
        (Annotated[list[float], annotated_types.Len(4, 4)], 4, False),
        (
            Annotated[list[Annotated[float, Field(ge=0)]], Field(min_length=1, max_length=1)],
            1,
            False,
        ),
        (Annotated[list[Decimal], Field(min_length=2, max_length=2)], 2, False),
        (Annotated[list[float], Field(min_length=4096, max_length=4096)], 4096, False),
    ],
)
def test_a_list_of_so_many_floats_is_a_vector(
    annotation: Any, size: int, *, nullable: bool
) -> None:
    model = create_model("Model", at=(datetime, ...), taste=(annotation, ...))
    found = contract_columns(model)["taste"]
    assert found == Column("taste", Kind.VECTOR, nullable, ("taste",), size)
    assert found.arrow_type == pa.list_(pa.float64(), size)


def test_other_lists_are_checked_but_are_no_columns() -> None:
    assert list(STREAM.columns) == ["user", "at", "price", "taste", "mood", "deep.taste"]


def test_what_a_view_gives_of_a_vector() -> None:
    measures = {
        "total": total("taste"),
        "mean": mean("mood"),
        "first": first("deep.taste"),
        "last": last("taste", where=column("price") > 1),
        "n": count("taste"),
        "rate": rate("taste"),
        "none": count(where=column("mood").is_null()),
    }
    found = {f.measure_name: (f.kind.value, f.items, f.size) for f in view(measures).outputs}
    assert found == {
        "total": ("vector", Kind.FLOAT, 8),
        "mean": ("vector", Kind.FLOAT, 2),
        "first": ("vector", Kind.FLOAT, 8),
        "last": ("vector", Kind.FLOAT, 8),
        "n": ("int", None, 0),
        "rate": ("float", None, 0),
        "none": ("int", None, 0),
    }


def test_another_size_is_another_version() -> None:
    def version(size: int) -> str:
        taste = Annotated[list[float], Field(min_length=size, max_length=size)]
        model = create_model("M", user=(str, ...), at=(datetime, ...), taste=(taste, ...))
        of = Stream("s", contract=model, event_time="at")
        return view({"f": mean("taste")}, stream=of).version

    assert version(3) == version(3) != version(4)


CURE = "Annotated[list[float], Field(min_length=n, max_length=n)]"


@pytest.mark.parametrize(
    ("measure", "problem"),
    [
        (total("free"), f"column 'free' of stream 'views' is a list of any length.*{CURE}"),
        (mean("nearly"), f"'nearly' of stream 'views' is a list of any length.*{CURE}"),
        (mean("least"), f"'least' of stream 'views' is a list of any length.*{CURE}"),
        (mean("whole"), f"'whole' of stream 'views' is a list of int, which is no .*{CURE}"),
        (mean("holes"), f"is a list of float . None, which is no column; a vector is {CURE}"),
        (mean("long"), "'long' of stream 'views' has 4097 floats, but a vector may have 1 to 4096"),
        (mean("tags"), "column 'tags' is not in stream 'views'"),
        (mean("tast"), "did you mean 'taste'"),
        *(
            (of, r"takes no vectors, and taste is one; .*total, mean.* do")
            for of in (
                std("taste"),
                minimum("taste"),
                maximum("taste"),
                distinct("taste"),
                median("taste"),
                last_n("taste", 3),
                most_frequent("taste", 3),
                decayed_total("taste", half_life="1h"),
                time_since_last("taste"),
                max_by("taste", by="price"),
                max_by("price", by="taste"),
            )
        ),
        (ratio(total("taste"), count()), "ratio needs numbers, but total.taste. is vector"),
        *(
            (total(of), "taste is a vector, of which only is_null.*total or mean.*where=")
            for of in (
                column("taste") * 2,
                column("taste") + column("taste"),
                column("taste").fill_null(0),
                column("taste").cast(float),
                column("taste").length(),
                column("taste").map({1: 2}),
                -column("taste"),
                abs(column("taste")),
            )
        ),
        *(
            (count(where=where), "taste is a vector, of which only is_null")
            for where in (
                column("taste") == 1,
                column("taste") > 1,
                column("taste").is_in(1, 2),
                (column("price") > 1) & (column("taste") != 0),
                column("taste"),
            )
        ),
    ],
    ids=str,
)
def test_what_no_vector_can_do_is_refused_with_the_cure(measure: Measure, problem: str) -> None:
    with pytest.raises(DefinitionError, match=_as_pattern(problem)):
        view({"f": measure})


def _as_pattern(problem: str) -> str:
    return (
        problem.replace("[list[float]", r"\[list\[float\]")
        .replace("n)]", r"n\)\]")
        .replace("Field(", r"Field\(")
    )


def test_a_vector_is_no_key_no_id_no_time_and_no_truth() -> None:
    keyed = Entity("taste", keys=["taste"])
    assert "key 'taste' of entity 'taste' is a vector" in problem_of(
        lambda: view({"n": count()}, entity=keyed)
    )
    assert "event_id 'taste' is a vector" in problem_of(lambda: stream(event_id="taste"))
    assert "'taste' is vector, but must be true" in problem_of(lambda: stream(reverses="taste"))
    assert "'taste' must be a datetime" in problem_of(
        lambda: Stream("s", contract=Viewed, event_time="taste")
    )
    taste: Expression = column("taste")
    assert "where: taste is vector, but must be true or false" in problem_of(
        lambda: view({"n": count()}, where=taste)
    )


def test_a_row_of_too_many_long_vectors_is_refused() -> None:
    size = Annotated[list[float], Field(min_length=4096, max_length=4096)]
    model = create_model("M", user=(str, ...), at=(datetime, ...), taste=(size, ...))
    of = Stream("s", contract=model, event_time="at")
    view({"f": mean("taste")}, stream=of, windows=["1m", "1h"])
    problem = problem_of(
        lambda: view({"f": mean("taste")}, stream=of, windows=["1m"], record_budget=5000)
    )
    assert "a busy row may become 156.5 MiB, more than 16.0 MiB: 4,938 events" in problem
    assert "32,776 bytes each, and 62 tiles by its windows, 32,792 bytes each, of which" in problem
    assert "feature 'f' has 32,768; take" in problem
    assert "shorter vectors" in problem


@pytest.mark.parametrize(
    ("default", "problem"),
    [
        ([0.5] * 7, "default 'f_1h' must be a list of 8 floats, got list"),
        (0.5, "default 'f_1h' must be a list of 8 floats, got float '0.5'"),
        (["a"] * 8, "default 'f_1h' must be float, got str 'a'"),
        ([float("nan")] * 8, "default 'f_1h' must be float, got float 'nan'"),
    ],
)
def test_a_default_is_a_list_of_as_many_floats(default: Any, problem: str) -> None:
    features = [view({"f": mean("taste")})]
    FeatureService("s", features=features, defaults={"f_1h": [0] * 8})
    assert problem in problem_of(
        lambda: FeatureService("s", features=features, defaults={"f_1h": default})
    )


def passing(events: pa.RecordBatch) -> pa.RecordBatch:
    return events.append_column("copy", events.column("taste"))


def test_transforms_and_derived_columns_pass_vectors_on() -> None:
    found = stream(transforms=[passing], derive={"alias": column("copy")}).columns
    assert [found[name].type_text for name in ("taste", "copy", "alias")] == ["vector[8]"] * 3


def loose(events: pa.RecordBatch) -> pa.RecordBatch:
    free = events.column("taste").cast(pa.list_(pa.float64()))
    return events.append_column("free_taste", free)


def test_a_transform_that_loses_the_size_is_told_how_to_keep_it() -> None:
    problem = problem_of(lambda: stream(transforms=[loose]))
    assert "'free_taste' is list<item: double> after transforms" in problem
    assert "cast it to pa.list_(pa.float64(), n), or drop it" in problem


def test_a_vector_is_not_looked_up_by_other_events() -> None:
    with pytest.raises(DefinitionError, match=r"column .taste. is a vector, which no event"):
        Latest("viewed", stream=stream(), key="user", columns=["taste"])
