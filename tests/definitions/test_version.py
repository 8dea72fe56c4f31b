"""The version of a view: other rows, another version."""

from collections.abc import Mapping
from datetime import datetime
from itertools import permutations

import pytest
from pydantic import BaseModel

from featurestore import (
    Entity,
    FeatureView,
    Measure,
    Stream,
    distinct,
    last,
    last_n_events,
    session,
    sliding,
    total,
)
from featurestore.aggregation.layout import Layout
from featurestore.definitions.window import WindowChoice


class Payment(BaseModel):
    user_id: str
    shop: str
    amount: float
    at: datetime


def view(features: Mapping[str, Measure], window: str | WindowChoice = "1h") -> FeatureView:
    return FeatureView(
        "spending",
        stream=Stream("payments", contract=Payment, event_time="at"),
        entity=Entity("user", keys=["user_id"]),
        windows=[window],
        features=features,
    )


MEASURES = {"spent": total("amount"), "last": last("shop"), "shops": distinct("shop")}


@pytest.mark.parametrize("order", list(permutations(MEASURES)))
def test_views_of_one_version_lay_their_rows_out_alike(order: tuple[str, ...]) -> None:
    """Rows do not describe their fields: a view of the same version must read them the same way."""
    one, other = view(MEASURES), view({name: MEASURES[name] for name in order})
    fields = [(Layout.of(v).point_fields, Layout.of(v).tile_fields) for v in (one, other)]
    assert one.version != other.version or fields[0] == fields[1]


def test_a_measure_can_be_renamed_and_keeps_its_rows() -> None:
    renamed = {f"my_{name}": measure for name, measure in MEASURES.items()}
    assert view(MEASURES).version == view(renamed).version


def test_whatever_says_what_a_window_holds_makes_another_version() -> None:
    windows = [
        sliding("24h"),
        session("30m"),
        session("31m"),
        session("30m", longest="25h"),
        session("30m", offset="1h"),
        last_n_events(10),
        last_n_events(11),
        last_n_events(10, longest="24h"),
        last_n_events(10, offset="1h"),
    ]
    assert len({view(MEASURES, window).version for window in windows}) == len(windows)
    assert (
        view(MEASURES, session("30m", name="visit")).version
        == view(MEASURES, session("30m")).version
    )
