"""Where nothing was compiled, answers are the same: from arrays and from Python alone."""

from datetime import timedelta
from typing import Any

import pytest

from featurestore import FeatureService, count, distinct, last, last_n, total
from featurestore.aggregation import compiled
from featurestore.serving.question import ask
from featurestore.serving.readers import MANY_ROWS
from featurestore.serving.vector import Vectors
from tests.serving.shop import NOW_US, Shop, shops, view

MINUTE = timedelta(minutes=1)
MIXED = {
    "who": last("user_id"),
    "spent": total("amount"),
    "shops": distinct("shop"),
    "newest": last_n("amount", 3),
    "payments": count(),
}

SERVICES = {
    "one view": lambda: FeatureService("s", features=[view()]),
    "two, one ages": lambda: FeatureService("s", features=[view(max_age="2h"), shops()]),
    "other order": lambda: FeatureService("s", features=[shops(), view().select("seen_1h")]),
    "mixed": lambda: FeatureService("s", features=[view(features=MIXED)]),
    "defaults": lambda: FeatureService("s", features=[view()], defaults={"spent_1h": -1.0}),
}


def answered(name: str, number_of: int, *, as_columns: bool) -> tuple[Any, ...]:
    shop = Shop(SERVICES[name]())
    for number in range(0, 20, 3):
        for ago in range(number + 1):
            shop.pay(f"u{number}", number, 0.1 * number + ago, 17 * ago * MINUTE)
    entities = [{"user_id": f"u{n % 25}", "shop": n % 25} for n in range(number_of)]
    question = ask(shop.plan, entities, now_us=NOW_US)
    rows = [shop.rows.get(key) for key in (*question.keys, *question.clocks)]
    return seen(question.answer(rows, as_columns=as_columns))


def seen(vectors: Vectors) -> tuple[Any, ...]:
    arrow = [series.arrow().to_pylist() for series in vectors.series]
    return (vectors.values, vectors.statuses, vectors.event_times, vectors.stale, arrow)


@pytest.mark.parametrize("entities", [1, 25, MANY_ROWS + 1])
@pytest.mark.parametrize("name", SERVICES)
def test_answers_are_the_same(name: str, entities: int, monkeypatch: pytest.MonkeyPatch) -> None:
    found = [answered(name, entities, as_columns=each) for each in (False, True)]
    monkeypatch.setattr(compiled, "CUTTING", None)
    alone = [answered(name, entities, as_columns=each) for each in (False, True)]
    assert found == alone
    assert found[0] == found[1]
    assert any(value for vector in alone[0][0] for value in vector)
