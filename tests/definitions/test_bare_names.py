"""A bare name stands for its column, wherever an expression may stand; what is neither is said."""

from datetime import datetime
from typing import Any

import pytest
from pydantic import BaseModel

from featurestore import (
    Entity,
    FeatureService,
    FeatureView,
    Stream,
    column,
    count,
    decayed_count,
    rate,
    time_since_last,
    total,
)
from featurestore.errors import DefinitionError
from featurestore.testing import Store


class Sale(BaseModel):
    user: str
    amount: int
    paid: bool
    real: bool
    at: datetime


def views(real: Any, paid: Any, amount: Any) -> FeatureView:
    sales = Stream("sales", contract=Sale, event_time="at", where=real, derive={"cents": amount})
    return FeatureView(
        "v",
        stream=sales,
        entity=Entity("user", keys=["user"]),
        windows=["1h"],
        where=real,
        features={
            "paid": count(where=paid),
            "cents": total("cents", where=paid),
            "weight": decayed_count(half_life="1h", where=paid),
            "rate": rate(where=paid),
            "since": time_since_last(where=paid),
        },
    )


def test_a_name_is_its_column_in_filters_and_derived_columns() -> None:
    named = views("real", "paid", "amount")
    written = views(column("real"), column("paid"), column("amount"))
    assert named.version == written.version
    store = Store(FeatureService("s", features=[named]))
    at = "2026-01-01T00:00:00Z"
    events = [(1, True, True), (20, False, True), (300, True, False)]
    sales = [{"user": "u", "amount": a, "paid": p, "real": r, "at": at} for a, p, r in events]
    assert store.feed("sales", sales) == {"read": 3, "applied": 2, "filtered": 1}
    found = store.get("s", user="u")
    assert (found["paid_1h"], found["cents_1h"]) == (1, 1)


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"where": True}, "where must be an expression, got True"),
        ({"derive": {"z": 5}}, "derive must be a dict of expressions by name, got {'z': 5}"),
        ({"derive": {5: column("amount")}}, "derive must be a dict of expressions by name"),
        ({"event_time": None}, "event_time must name a column, got None"),
        ({"clock_skew": None}, "clock_skew None is no duration"),
        ({"transforms": len}, "transforms must be a list of functions"),
        ({"enrich": ["amount"]}, "enrich must be a list, as in [merchants.on('merchant_id')]"),
    ],
)
def test_a_stream_of_wrong_types_is_refused(wrong: dict[str, Any], said: str) -> None:
    given: dict[str, Any] = {"contract": Sale, "event_time": "at", **wrong}
    with pytest.raises(DefinitionError) as caught:
        Stream("sales", **given)
    assert str(caught.value).startswith(f"stream 'sales': {said}")


@pytest.mark.parametrize("measure", [total, count, lambda of: count(where=of)])
def test_what_is_no_column_is_told(measure: Any) -> None:
    with pytest.raises(TypeError, match="5 is no column: name one, or write an expression"):
        measure(5)
