"""Sessions and the last events, of rows that are past their budget."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from featurestore import FeatureView
from featurestore.definitions.window import FOREVER_US, Window
from tests import oracle
from tests.laws.test_windows import (
    Events,
    assert_features_of,
    by_entity,
    features,
    hop_at,
    moments,
    slow,
    travelled,
    which,
)
from tests.strategies import purchases, views

BUDGETS = st.sampled_from([10, 11, 16])  # twice the most events that a window holds, or more


@pytest.mark.parametrize("kind", ["by_events", "vectors_by_events"])
@slow
@given(data=st.data(), events=purchases())
def test_beyond_its_budget_last_events_are_exact_and_a_session_is_cut_within_a_hop(
    kind: str, data: st.DataObject, events: Events
) -> None:
    view = data.draw(views(BUDGETS, kind))
    rows = travelled(data, view, events)
    for now_us in moments(data, view, events):
        for key, mine in by_entity(view, events).items():
            got = features(rows, key, now_us)
            passing = [event for event in mine if oracle.passes(view, event)]
            for window in view.parsed_windows:
                held = which(mine, got[f"which_{window.name}"])
                end = now_us - window.offset_us
                assert all(e in passing and oracle.time_of(view, e) <= end for e in held)
                if all(oracle.time_of(view, e) <= end for e in passing):
                    assert_right(view, window, mine, held, now_us)
                elif window.kind == "last":
                    certain = certain_of(view, window, passing, now_us)
                    assert len(held) >= min(window.events, len(certain))
                assert_features_of(view, window, held, got, now_us)


def assert_right(
    view: FeatureView, window: Window, mine: Events, held: Events, now_us: int
) -> None:
    if window.kind == "last":
        assert held == oracle.events_in(view, mine, window, now_us)
    if window.kind == "session":
        whole = oracle.events_in(view, mine, replace(window, width_us=FOREVER_US), now_us)
        assert all(event in whole for event in held)
        hop = hop_at(view, window.reach_us)
        for event in whole:
            age = now_us - window.offset_us - oracle.time_of(view, event)
            assert event in held or age >= window.width_us
            assert event not in held or age - hop + 1 < window.width_us


def certain_of(view: FeatureView, window: Window, passing: Events, now_us: int) -> Events:
    """The events that are before the window's end whatever tile they are in."""
    end = now_us - window.offset_us
    newest = max(oracle.time_of(view, event) for event in passing)
    hop = hop_at(view, window.reach_us + max(0, newest - now_us))
    return [
        event
        for event in passing
        if end - window.width_us < oracle.time_of(view, event) <= end - hop + 1
        and oracle.time_of(view, event) > newest - view.horizon_us
    ]
