"""A known stream of events with duplicates and disorder, and what it must come to."""

import random
from collections import defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import orjson

from featurestore.client import Client
from featurestore.definitions.catalog import load

DAY = 86_400
START = 1_700_000_000
USERS = 40

DEFINITIONS = """
from datetime import datetime
from pydantic import BaseModel
from featurestore import Entity, FeatureService, FeatureView, Stream, count, total

class Tap(BaseModel):
    id: str
    user: str
    shop: int
    cents: int
    at: datetime

taps = Stream("taps", contract=Tap, event_time="at", event_id="id"{options})
MEASURES = {"taps": count(), "cents": total("cents")}
by_user = FeatureView("by_user", stream=taps, entity=Entity("user", keys=["user"]),
                      windows=["900d"], features=MEASURES, shards=4)
by_shop = FeatureView("by_shop", stream=taps, entity=Entity("shop", keys=["shop"]),
                      windows=["900d"], features=MEASURES, shards=2)
users = FeatureService("users", features=[by_user])
shops = FeatureService("shops", features=[by_shop])
"""


def write_definitions(folder: Path, options: str = "") -> Path:
    path = folder / f"definitions_{random.getrandbits(32):x}.py"
    path.write_text(DEFINITIONS.replace("{options}", options))
    return path


class Taps:
    """Makes events: some twice, some broken, none in order."""

    def __init__(self, seed: int, *, duplicates: float = 0.0) -> None:
        self._random, self._made = random.Random(seed), 0
        self._duplicates, self.sent = duplicates, list[dict[str, Any]]()

    def lines(self, count: int) -> bytes:
        return b"".join(orjson.dumps(event) + b"\n" for event in self.events(count))

    def events(self, count: int) -> list[dict[str, Any]]:
        events = [self._event() for _ in range(count)]
        self.sent += events
        return events

    def _event(self) -> dict[str, Any]:
        draw = self._random
        if self.sent and draw.random() < self._duplicates:
            return draw.choice(self.sent[-5000:])
        self._made += 1
        at = START + self._made * 0.01 - draw.expovariate(1 / 600)
        cents: int | str = draw.randrange(1, 1000) if draw.random() > 0.01 else "broken"
        user, shop = f"u{draw.randrange(USERS)}", draw.randrange(3)
        return {"id": f"{self._made:032x}", "user": user, "shop": shop, "cents": cents, "at": at}


def expected(events: Iterable[dict[str, Any]], key: str) -> dict[Any, tuple[int, int]]:
    """The plain answer: (count, sum) by entity, each id once, broken ones never."""
    seen, answer = set(), defaultdict[Any, list[int]](lambda: [0, 0])
    for event in events:
        if event["id"] not in seen and isinstance(event["cents"], int):
            seen.add(event["id"])
            answer[event[key]][0] += 1
            answer[event[key]][1] += event["cents"]
    return {entity: (count, cents) for entity, (count, cents) in answer.items()}


def found(
    definitions: Path, url: str, key: str, entities: Sequence[Any]
) -> dict[Any, tuple[int, int]]:
    """What the store answers."""
    with Client(load(str(definitions)), url) as client:
        vectors = client.get_many(
            f"{key}s", [{key: entity} for entity in entities], as_of=(START + 300 * DAY) * 1_000_000
        )
    answer = {}
    for entity, vector in zip(entities, vectors, strict=True):
        count, cents = vector["taps_900d"], vector["cents_900d"]
        assert isinstance(count, int)
        answer[entity] = (count, int(cents or 0))
    return answer


def differences(definitions: Path, url: str, events: Sequence[dict[str, Any]]) -> tuple[int, int]:
    """Return how many events were lost, and how many doubled; sums must agree where counts do."""
    lost = doubled = 0
    for key in ("user", "shop"):
        wanted = expected(events, key)
        got = found(definitions, url, key, list(wanted))
        for entity, (count, cents) in wanted.items():
            lost += max(0, count - got[entity][0])
            doubled += max(0, got[entity][0] - count)
            assert got[entity][0] != count or got[entity][1] == cents, (entity, got[entity], cents)
    return lost, doubled
