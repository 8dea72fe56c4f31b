"""What is no longer exact keeps its bound, through tiles and without."""

from collections import Counter
from random import Random

import pytest

from featurestore import counts_by, distinct, most_frequent, quantiles
from tests.aggregation.test_values import value_of

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
@pytest.mark.parametrize("count", [1024, 1500, 20_000])
def test_distinct_keeps_its_standard_error(count: int, *, compacted: bool) -> None:
    events = [{"small": 7 * place} for place in range(count)]
    found = value_of(distinct("small"), *events, compacted=compacted, budget=30_000)
    if count <= 1023:
        assert found == count
    assert found == pytest.approx(count, rel=4 * 0.031)
