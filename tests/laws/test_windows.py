"""What a row answers, whatever road its events took, is what the raw events answer."""

from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from featurestore import FeatureView
from featurestore.aggregation.entity_keys import encode_key
from featurestore.aggregation.layout import Layout
from featurestore.aggregation.windows import read
from featurestore.definitions.window import Window
from featurestore.instants import DAY
from tests import oracle
from tests.rows import Rows
from tests.strategies import purchases, roads, views

Events = Sequence[Mapping[str, Any]]

slow = settings(
    max_examples=12,
    deadline=None,
    phases=[Phase.explicit, Phase.reuse, Phase.generate],  # shrinking such roads takes minutes
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
BUDGETS = st.sampled_from([1, 2, 4, 7, 16])


@pytest.mark.parametrize(
    "kind",
    ["basic", "numbers", "numeric", "listed", "vectors", "vectors_by_events", "plain", "by_events"],
)
@slow
@given(data=st.data(), events=purchases())
def test_a_row_within_its_budget_is_exact_at_every_moment(
    kind: str, data: st.DataObject, events: Events
) -> None:
    view = data.draw(views(st.just(128), kind))
    rows = travelled(data, view, events)
    for now_us in moments(data, view, events):
        for key, mine in by_entity(view, events).items():
            got = features(rows, key, now_us)
            scale = size_of(mine)
            for name, expected in oracle.answer(view, mine, now_us).items():
                assert oracle.same(got[name], expected, scale), name


@pytest.mark.parametrize("kind", ["basic", "numbers", "numeric", "listed", "vectors", "plain"])
@slow
@given(data=st.data(), events=purchases())
def test_beyond_its_budget_every_event_counts_as_if_less_than_a_hop_later(
    kind: str, data: st.DataObject, events: Events
) -> None:
    view = data.draw(views(BUDGETS, kind))
    rows = travelled(data, view, events)
    for now_us in moments(data, view, events):
        for key, mine in by_entity(view, events).items():
            got = features(rows, key, now_us)
            newest = max(
                (oracle.time_of(view, e) for e in mine if oracle.passes(view, e)), default=now_us
            )
            for window in view.parsed_windows:
                held = which(mine, got[f"which_{window.name}"])
                ago = max(0, newest - now_us)
                hop = hop_at(view, window.reach_us + ago)
                kept_from = newest - view.horizon_us
                start, end = bounds(window, now_us)
                for event in mine:
                    at = oracle.time_of(view, event)
                    latest = at + hop - 1
                    if event in held:
                        assert start < latest
                        assert at <= end
                        assert oracle.passes(view, event)
                    elif at > kept_from and oracle.passes(view, event):
                        assert not start < at <= latest <= end
                assert_features_of(view, window, held, got, now_us)


@slow
@given(data=st.data(), view=views(BUDGETS, "plain"), events=purchases())
def test_events_in_order_give_the_exact_value_of_a_window_whose_ends_are_earlier_by_less_than_a_hop(
    data: st.DataObject, view: FeatureView, events: Events
) -> None:
    rows = travelled(data, view, events, in_order=True)
    newest = max(oracle.time_of(view, event) for event in events)
    for now_us in [m for m in moments(data, view, events) if m >= newest]:
        for key, mine in by_entity(view, events).items():
            got = features(rows, key, now_us)
            for window in view.parsed_windows:
                times = [oracle.time_of(view, e) for e in which(mine, got[f"which_{window.name}"])]
                between = [
                    e
                    for e in mine
                    if oracle.passes(view, e)
                    and times
                    and min(times) <= oracle.time_of(view, e) <= max(times)
                ]
                assert len(times) == len(between)


@slow
@given(data=st.data(), view=views(BUDGETS, "falling"), events=purchases(most=20))
def test_values_fall_as_time_passes_without_events(
    data: st.DataObject, view: FeatureView, events: Events
) -> None:
    rows = travelled(data, view, events)
    newest = max(oracle.time_of(view, event) for event in events)
    steps = sorted(data.draw(st.lists(st.integers(0, view.horizon_us), min_size=1, max_size=5)))
    for key in by_entity(view, events):
        seen = None
        for step in [*steps, view.horizon_us]:
            got = features(rows, key, newest + view.parsed_windows[0].offset_us + step)
            counts = [got[f"n_{window.name}"] for window in view.parsed_windows]
            assert seen is None or all(a >= b for a, b in zip(seen, counts, strict=True))
            seen = counts
        assert not any(
            features(rows, key, newest + view.horizon_us)[f"n_{w.name}"]
            for w in view.parsed_windows
        )


def travelled(
    data: st.DataObject, view: FeatureView, events: Events, *, in_order: bool = False
) -> Rows:
    rows = Rows(Layout.of(view))
    rows.travel(events, data.draw(roads(len(events), in_order=in_order)))
    return rows


def moments(data: st.DataObject, view: FeatureView, events: Events) -> list[int]:
    """Moments where something happens: an event enters a window, or leaves it, or long after."""
    times = st.sampled_from([oracle.time_of(view, event) for event in events])
    ends = [0, *(end for w in view.parsed_windows for end in (w.offset_us, w.reach_us))]
    longest = min(view.horizon_us, 100 * 365 * DAY)  # of a lifetime no end is reached
    moment = st.builds(
        lambda at, end, more: at + end + more,
        times,
        st.sampled_from([end for end in ends if end <= longest]),
        st.one_of(st.sampled_from([-1, 0, 1]), st.integers(0, longest)),
    )
    return data.draw(st.lists(moment, min_size=1, max_size=6))


def by_entity(view: FeatureView, events: Events) -> dict[tuple[Any, ...], list[Mapping[str, Any]]]:
    entities: dict[tuple[Any, ...], list[Mapping[str, Any]]] = {("nobody", 0): []}
    for event in events:
        key = tuple(event[name] for name in view.entity.keys)
        entities.setdefault(key, []).append(event)
    return entities


def features(rows: Rows, key: tuple[Any, ...], now_us: int) -> dict[str, Any]:
    answer = read(rows.layout, [rows.row(encode_key(key))], now_us)
    outputs = rows.layout.features
    return {f.name: values[0] for f, values in zip(outputs, answer.columns, strict=True)}


def which(events: Events, bits: int | None) -> list[Mapping[str, Any]]:
    return [event for event in events if (bits or 0) & event["bit"]]


def bounds(window: Window, now_us: int) -> tuple[int, int]:
    """Where a window's stretch starts (open) and ends (closed)."""
    end = oracle.end_of(window, now_us)
    if window.kind == "tumbling":
        return end // window.width_us * window.width_us - 1, end
    return end - window.width_us, end


def hop_at(view: FeatureView, age_us: int) -> int:
    """The hop of the finest window that reaches as far back."""
    hops = [pair for w in view.parsed_windows for pair in w.hops]
    reaching = [hop for reach, hop in hops if reach >= age_us]
    return min(reaching, default=max(hops)[1])


def assert_features_of(
    view: FeatureView, window: Window, held: Events, got: Mapping[str, Any], now_us: int
) -> None:
    scale = size_of(held)
    for name, measure in view.features.items():
        expected = oracle.value(view, measure, held, window, now_us)
        assert oracle.same(got[f"{name}_{window.name}"], expected, scale), name


def size_of(events: Events) -> float:
    numbers = [
        abs(float(e[n]))
        for e in events
        for n in ("amount", "tip", "quantity", "points")
        if e[n] is not None
    ]
    vectors = [e[n] for e in events for n in ("taste", "mood") if e[n] is not None]
    return sum(numbers) + sum(abs(component) for vector in vectors for component in vector)
