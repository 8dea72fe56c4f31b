"""A row that could grow too large is refused when its view is defined."""

from datetime import datetime

import pytest
from pydantic import BaseModel

from featurestore import (
    Entity,
    FeatureView,
    Measure,
    Stream,
    count,
    counts_by,
    last_n,
    most_frequent,
    quantile,
    sliding,
)
from featurestore.errors import DefinitionError


class Payment(BaseModel):
    user: str
    amount: float
    at: datetime


PAYMENTS = Stream("payments", contract=Payment, event_time="at")


def view(**features: Measure) -> FeatureView:
    return FeatureView(
        "v",
        stream=PAYMENTS,
        entity=Entity("user", keys=["user"]),
        windows=["1m", sliding("1m", offset="5h")],  # some 18,000 tiles
        features=features,
    )


@pytest.mark.parametrize(
    ("measure", "size"),
    [
        (last_n("amount", 1000), 16_000),
        (counts_by("user", capacity=4096), 65_536),
        (most_frequent("user", 10, capacity=2048), 32_768),
    ],
)
def test_a_view_whose_tiles_hold_too_much_is_refused_with_who_holds_most(
    measure: Measure, size: int
) -> None:
    with pytest.raises(DefinitionError) as caught:
        view(payments=count(), much=measure)
    (problem,) = caught.value.problems
    assert f"of up to {size} bytes of values, more than 256 MiB; feature 'much'" in problem
    assert "make its n, limit or capacity smaller" in problem


def test_one_whose_tiles_hold_less_is_none_too_large() -> None:
    assert view(payments=count(), some=last_n("amount", 10), middle=quantile("amount", 0.5))
