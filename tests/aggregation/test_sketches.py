"""What is no longer exact keeps its bound, through tiles and without."""

from collections import Counter
from random import Random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from featurestore import counts_by, distinct, most_frequent, quantiles
from featurestore.aggregation.accumulators import Distinct, State, Wire
from featurestore.aggregation.accumulators.accumulator import Input
from featurestore.aggregation.accumulators.sketches import no_sketches, sketches_of
from featurestore.aggregation.arrays import Ints
from featurestore.aggregation.groups import Groups
from tests.aggregation.test_values import value_of

SHOPS = Distinct(Input("shop", Wire.INT, nullable=False))
COMPACTED = pytest.mark.parametrize("compacted", [False, True])


@COMPACTED
@pytest.mark.parametrize("seed", range(3))
def test_quantiles_of_many_values_are_off_by_less_than_two_percent_of_rank(
    seed: int, *, compacted: bool
) -> None:
    random, qs = Random(seed), [0.01, 0.25, 0.5, 0.99]
    values = [random.lognormvariate(0, 2) for _ in range(3000)]
    found = value_of(quantiles("value", qs), *[{"value": v} for v in values], compacted=compacted)
    for q, v in zip(qs, found, strict=True):
        below = sum(x < v for x in values) / len(values)
        up_to = sum(x <= v for x in values) / len(values)
        assert below - 0.02 <= q <= up_to + 0.02


@COMPACTED
def test_quantiles_up_to_256_values_are_exact(*, compacted: bool) -> None:
    values = list(range(256))
    Random(1).shuffle(values)
    events = [{"value": float(v)} for v in values]
    found = value_of(quantiles("value", [0, 0.5, 0.75, 1]), *events, compacted=compacted)
    assert found == [0.0, 127.0, 191.0, 255.0]


@COMPACTED
@pytest.mark.parametrize("seed", range(3))
def test_counts_beyond_their_capacity_are_too_low_by_no_more_than_promised(
    seed: int, *, compacted: bool
) -> None:
    random, capacity = Random(seed), 20
    values = [min(int(random.paretovariate(0.7)), 10_000) for _ in range(2000)]
    events = [{"small": v} for v in values]
    found = value_of(counts_by("small", capacity=capacity), *events, compacted=compacted)
    true, bound = Counter(values), len(values) / (capacity + 1)
    assert len(found) <= capacity
    for text, count in found.items():
        assert true[int(text)] - bound <= count <= true[int(text)]
    frequent = {str(v) for v, count in true.items() if count > bound}
    assert frequent <= set(found)


@COMPACTED
def test_the_most_frequent_texts_are_found_among_many(*, compacted: bool) -> None:
    texts = ["é"] * 40 + ["b|"] * 30 + [f"rare {n}" for n in range(300)]
    Random(2).shuffle(texts)
    events = [{"note": text} for text in texts]
    found = value_of(most_frequent("note", 2, capacity=64), *events, compacted=compacted)
    assert list(found) == ["é", "b|"]
    assert 40 - 370 / 65 <= found["é"] <= 40


@COMPACTED
@pytest.mark.parametrize("count", [256, 257, 1024, 20_000])
def test_distinct_keeps_its_standard_error(count: int, *, compacted: bool) -> None:
    events = [{"small": 7 * place} for place in range(count)]
    found = value_of(distinct("small"), *events, compacted=compacted, budget=30_000)
    assert found == pytest.approx(count, rel=4 * 0.011 if count > 256 else 0)


def test_distinct_is_off_by_no_more_than_its_standard_error_on_average() -> None:
    """Over 100 sets of 5,000 values: the root of the mean squared error has a spread of 7 %."""
    count, sets = 5000, 100
    values = np.random.default_rng(1).integers(0, 2**62, (sets, count))
    rows = np.repeat(np.arange(sets), count)
    found = SHOPS.estimate(SHOPS.merge(lifted(values.ravel()), Groups.of(rows), {}))
    assert np.sqrt(np.mean((found / count - 1) ** 2)) < 1.2 * np.log(2) / 64


@given(
    values=st.lists(st.integers(0, 2000), min_size=1, max_size=1200),
    cuts=st.lists(st.integers(0, 1200), max_size=6),
    order=st.randoms(use_true_random=False),
)
@settings(max_examples=40, deadline=None)
def test_distinct_depends_on_the_values_alone_in_whatever_order_and_grouping(
    values: list[int], cuts: list[int], order: Random
) -> None:
    whole = SHOPS.merge(lifted(np.array(values)), Groups.of(np.zeros(len(values), np.int64)), {})
    shuffled = [*values, *values[: len(values) // 2]]
    order.shuffle(shuffled)
    parts = np.searchsorted(np.sort(cuts), np.arange(len(shuffled)), side="right")
    tiles = SHOPS.merge(lifted(np.array(shuffled)), Groups.of(parts), {})
    again = SHOPS.merge(tiles, Groups.of(np.zeros(len(np.unique(parts)), np.int64)), {})
    assert SHOPS.estimate(again) == SHOPS.estimate(whole)


def test_a_damaged_sketch_is_refused() -> None:
    state = SHOPS.merge(lifted(np.arange(300)), Groups.of(np.zeros(300, np.int64)), {})
    (sketch,) = sketches_of(state, SHOPS.sketched)
    for damaged in (sketch[:-1], sketch[:3], sketch[:20] + b"?" + sketch[21:]):
        sketches = no_sketches(1)
        sketches[0] = damaged
        with pytest.raises(ValueError, match="are no sketch"):
            SHOPS.estimate(state | {SHOPS.sketched: sketches})


def lifted(values: Ints) -> State:
    return SHOPS.lift(np.zeros(len(values), np.int64), [values])
