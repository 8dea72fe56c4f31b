"""What an answer calls exact is what the raw events answer; all is, where a row has them all."""

from typing import Any

import pytest
from hypothesis import event, given
from hypothesis import strategies as st

from featurestore.aggregation.entity_keys import encode_key
from featurestore.aggregation.exactness import Exactness
from tests import oracle
from tests.laws.test_windows import (
    Events,
    by_entity,
    features,
    moments,
    size_of,
    slow,
    travelled,
    which,
)
from tests.rows import Rows
from tests.strategies import purchases, views

KINDS = ["basic", "numeric", "listed", "vectors", "plain", "by_events", "vectors_by_events"]
BUDGETS = st.sampled_from([10, 11, 16])  # twice the most events that a window holds, or more


@pytest.mark.parametrize("kind", KINDS)
@slow
@given(data=st.data(), events=purchases())
def test_what_is_called_exact_is_what_the_events_answer(
    kind: str, data: st.DataObject, events: Events
) -> None:
    small = BUDGETS if "by_events" in kind else st.sampled_from([1, 2, 4, 7, 16])
    view = data.draw(views(small, kind))
    rows = travelled(data, view, events)
    for now_us in moments(data, view, events):
        for key, mine in by_entity(view, events).items():
            got, exact = features(rows, key, now_us), exactness(rows, key, now_us)
            expected = oracle.answer(view, mine, now_us)
            for name, is_exact in exact.items():
                event(f"{is_exact}")
                if is_exact:
                    assert oracle.same(got[name], expected[name], size_of(mine)), name


@pytest.mark.parametrize("kind", ["basic", "listed", "plain", "by_events"])
@slow
@given(data=st.data(), events=purchases())
def test_of_a_row_that_has_all_its_events_every_value_is_exact(
    kind: str, data: st.DataObject, events: Events
) -> None:
    view = data.draw(views(st.just(128), kind))
    rows = travelled(data, view, events)
    for now_us in moments(data, view, events):
        for key in by_entity(view, events):
            assert all(exactness(rows, key, now_us).values())


@pytest.mark.parametrize(("kind", "budgets"), [("plain", [1, 2, 4]), ("by_events", [10, 11])])
@slow
@given(data=st.data(), events=purchases())
def test_where_a_window_holds_other_events_than_it_should_it_is_not_called_exact(
    kind: str, budgets: list[int], data: st.DataObject, events: Events
) -> None:
    """The sums of bits tell exactly which events are in, so no two faults can cancel out."""
    view = data.draw(views(st.sampled_from(budgets), kind))
    rows = travelled(data, view, events)
    for now_us in moments(data, view, events):
        for key, mine in by_entity(view, events).items():
            got, exact = features(rows, key, now_us), exactness(rows, key, now_us)
            for window in view.parsed_windows:
                held = which(mine, got[f"which_{window.name}"])
                right = oracle.events_in(view, mine, window, now_us)
                event(f"right {held == right}, exact {exact[f'which_{window.name}']}")
                assert held == right or not exact[f"which_{window.name}"]


def exactness(rows: Rows, key: tuple[Any, ...], now_us: int) -> dict[str, bool]:
    outputs = rows.layout.features
    found = Exactness(rows.layout, range(len(outputs))).of([rows.row(encode_key(key))], now_us)
    return {f.name: bool(mask[0]) for f, mask in zip(outputs, found, strict=True)}
