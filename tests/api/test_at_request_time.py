"""What is decided at request time, over HTTP, in Arrow, in the clients and on the command line."""

import asyncio
import json
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pyarrow as pa
import pytest
import redis

from featurestore import Catalog, load
from featurestore.client import AsyncClient, Client
from featurestore.storage.keys import counts_key
from tests.api.server import NOW, Api, put, request
from tests.cli.conftest import Command, featurestore

__all__ = ["featurestore"]

DEFINITIONS = """
from datetime import datetime
from typing import Literal

import numpy as np
from pydantic import BaseModel

from featurestore import (
    Entity, FeatureService, FeatureView, Stream, count, hour_of_day, last, on_demand, total,
)


class Payment(BaseModel):
    payment_id: str
    user_id: str
    shop: int
    amount: float
    status: Literal["approved", "declined"]
    paid_at: datetime


payments = Stream("payments", contract=Payment, event_time="paid_at")
users = FeatureView(
    "users", stream=payments, entity=Entity("user", keys=["user_id"]), windows=["1h", "1d"],
    features={"spent": total("amount"), "payments": count(), "seen": last("paid_at")},
    max_age="5h", clock="event",
)
shops = FeatureView(
    "shops", stream=payments, entity=Entity("shop", keys=["shop"]), windows=["1d"],
    features={"sold": total("amount")},
)


@on_demand(
    inputs=[users.select("spent_1h")],
    context={"amount": float, "at": datetime | None},
    returns={"ratio": float, "at_hour": int},
)
def risk(features, context):
    if (context["amount"] == 13).any():
        raise RuntimeError("unlucky")
    hours = context["at"].astype("datetime64[h]") - context["at"].astype("datetime64[D]")
    return {
        "ratio": context["amount"] / features["spent_1h"],
        "at_hour": hours / np.timedelta64(1, "h"),
    }


base = FeatureService("base", features=[users.select("spent_1h", "seen_1h", "payments_1d")],
                      defaults={"seen_1h": datetime(2000, 1, 1)})
fraud = FeatureService(
    "fraud", features=[base, risk, hour_of_day("Europe/Paris"), shops],
    defaults={"spent_1h": 0, "ratio": -1.0},
)
plain = FeatureService("plain", features=[shops])
"""
EVENTS = [
    ("u1", 1, 10.0, "approved", "2026-01-31T10:00:00Z"),
    ("u1", 1, 2.5, "declined", "2026-01-31T11:30:00Z"),
    ("old", 7, 4.0, "approved", "2026-01-31T05:00:00Z"),
]
PATH = "/v1/features/fraud"
NAMES = ["spent_1h", "seen_1h", "payments_1d", "ratio", "at_hour", "hour_of_day", "sold_1d"]
ENTITIES = [
    {"user_id": "u1", "shop": 1},
    {"user_id": "old", "shop": 7},
    {"user_id": "x", "shop": 9},
]
CONTEXT = [{"amount": 5, "at": "2026-01-31T09:59:00Z"}, {"amount": 1}, {"amount": 0.5}]
LONG_AGO = "2000-01-01T00:00:00Z"
VECTORS = [
    [2.5, "2026-01-31T11:30:00Z", 2, 2.0, 9, 13, 12.5],
    [0.0, LONG_AGO, None, -1.0, None, 13, 4.0],
    [0.0, LONG_AGO, 0, -1.0, None, 13, None],
]
STATUSES = [
    ["PRESENT"] * 7,
    [*["OUTSIDE_MAX_AGE"] * 3, "NULL_VALUE", "NULL_VALUE", "PRESENT", "PRESENT"],
    [*["NOT_FOUND"] * 3, "NULL_VALUE", "NULL_VALUE", "PRESENT", "NOT_FOUND"],
]
NEWEST_US = 1_769_860_800_000_000  # NOW


@pytest.fixture
def path(tmp_path: Path) -> str:
    path = tmp_path / "at_request_time.py"
    path.write_text(DEFINITIONS)
    return str(path)


@pytest.fixture
def catalog(path: str) -> Catalog:
    return load(path)


@pytest.fixture
def url(redis_url: str, catalog: Catalog) -> str:
    put(redis_url, catalog, EVENTS)
    with redis.Redis.from_url(redis_url) as store:
        store.hset(counts_key("payments"), "newest_us", NEWEST_US)
    return redis_url


@pytest.fixture
def api(url: str, start: Callable[..., Api]) -> Api:
    return start(url)


@pytest.fixture
def answers(api: Api) -> Callable[[bytes], Any]:
    """Asks twice: before ASGI and through it."""

    def ask(data: bytes) -> Any:
        hot, asgi = api.ask(data), api.ask(data.replace(b"\r\n", b"\r\nTE: trailers\r\n", 1))
        assert (hot.status, hot.body) == (asgi.status, asgi.body)
        return hot

    return ask


def body(**more: object) -> bytes:
    asked = {"entities": ENTITIES, "context": CONTEXT, "as_of": NOW} | more
    return json.dumps({name: value for name, value in asked.items() if value is not None}).encode()


def test_all_of_it_in_one_answer(answers: Callable[[bytes], Any]) -> None:
    reply = answers(request("POST", PATH, body(include=["statuses", "event_times"]))).json
    assert reply["features"] == NAMES
    assert reply["vectors"] == VECTORS
    assert reply["statuses"] == STATUSES
    assert reply["event_times"][0] == [*["2026-01-31T11:30:00Z"] * 5, None, "2026-01-31T11:30:00Z"]
    assert (reply["as_of"], reply["clocks"]) == (NOW, {"payments": NOW})


def test_the_same_in_arrow(answers: Callable[[bytes], Any]) -> None:
    accept = "Accept: application/vnd.apache.arrow.stream"
    reply = answers(request("POST", PATH, body(include=["statuses"]), accept))
    table = pa.ipc.open_stream(reply.body).read_all()
    assert table.schema.names[:7] == NAMES
    assert [str(kind) for kind in table.schema.types[3:6]] == ["double", "int64", "int64"]
    assert table.schema.metadata[b"clock.payments"] == NOW.encode()
    for place, name in enumerate(NAMES):
        column = table[name].to_pylist()
        if name != "seen_1h":
            assert column == [vector[place] for vector in VECTORS]
        assert table[f"{name}__status"].to_pylist() == [status[place] for status in STATUSES]
    assert [f"{at:%Y}" for at in table["seen_1h"].to_pylist()] == ["2026", "2000", "2000"]


def test_one_by_its_keys(api: Api, answers: Callable[[bytes], Any]) -> None:
    query = "user_id=u1&shop=1&context.amount=5&context.at=2026-01-31T09:59:00Z"
    reply = answers(request("GET", f"{PATH}?{query}&as_of={NOW}")).json
    assert reply["vectors"] == VECTORS[:1]
    some = api.get(f"{PATH}?user_id=u1&context.amount=5&features=ratio,spent_1h")
    assert some.json["vectors"] == [[2.0, 2.5]]  # by the event clock


def test_without_a_moment_each_view_has_its_own_now(api: Api) -> None:
    reply = api.post(PATH, body(as_of=None)).json
    assert reply["clocks"] == {"payments": NOW}
    assert reply["as_of"] > NOW
    assert [vector[:5] for vector in reply["vectors"]] == [vector[:5] for vector in VECTORS]
    assert reply["vectors"][0][6] is None  # by the wall clock, months later
    assert "clocks" not in api.post("/v1/features/plain", {"entities": [{"shop": 1}]}).json


def test_only_hours_are_asked_for_no_row_at_all(api: Api) -> None:
    reply = api.post(PATH, {"entities": [{}, {}], "features": ["hour_of_day"], "as_of": NOW})
    assert reply.json["vectors"] == [[13], [13]]


WRONG: dict[str, tuple[bytes, list[str]]] = {
    "no context": (
        request("POST", PATH, body(context=None)),
        ["context: 'amount' (float) is missing (has none)", '"pointer":"/context"'],
    ),
    "of one entity": (
        request("POST", PATH, body(context=[{"amount": 1}, {"amount": "1"}, {}])),
        ["context[1]: 'amount' must be float, got str '1'", '"pointer":"/context/1"'],
    ),
    "too few": (request("POST", PATH, body(context=[{}])), ["for each of the 3, got 1"]),
    "a bad instant": (
        request("POST", PATH, body(context={"amount": 1, "at": "noon"})),
        ["context: 'at' 'noon' is no instant"],
    ),
    "an instant out of the calendar": (
        request("POST", PATH, body(context={"amount": 1, "at": "0001-01-01T00:00:00+14:00"})),
        ["context: 'at' '0001-01-01T00:00:00+14:00' is no instant"],
    ),
    "a number larger than floats": (
        request("POST", PATH, body(context={"amount": 10**400})),
        ["context: 'amount' must be float, got int 1000"],
    ),
    "an instant out of the calendar in a query": (
        request("GET", f"{PATH}?user_id=u1&shop=1&context.at=9999-12-31T23:59:59-01:00"),
        ["context: 'at' must be datetime, got str '9999-12-31T23:59:59-01:00'"],
    ),
    "an unknown name": (
        request("POST", PATH, body(context={"amont": 1})),
        ["there is no 'amont' (has: amount, at); did you mean 'amount'?"],
    ),
    "no object": (request("POST", PATH, body(context="x")), ["$.context", "bad-request"]),
    "in a query": (
        request("GET", f"{PATH}?user_id=u1&shop=1&context.amount=much"),
        ["context: 'amount' must be float, got str 'much'"],
    ),
    "twice in a query": (
        request("GET", f"{PATH}?user_id=u1&shop=1&context.amount=1&context.amount=2"),
        ["context: 'amount' is given twice"],
    ),
    "misspelt in a query": (
        request("GET", f"{PATH}?user_id=u1&shop=1&context.amont=1"),
        ["no query parameter 'context.amont'", "did you mean 'context.amount'?"],
    ),
    "where none is needed": (
        request("POST", "/v1/features/plain", body(entities=[{"shop": 1}], context=CONTEXT[:1])),
        ["context[0]: there is no 'amount' (has none)"],
    ),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_context_is_the_caller_s_mistake(
    name: str, answers: Callable[[bytes], Any]
) -> None:
    data, words = WRONG[name]
    reply = answers(data)
    assert reply.status == 422, reply.body
    for word in words:
        assert word in reply.body.decode()


def test_a_function_that_fails_is_that_service_s_problem_alone(
    api: Api, answers: Callable[[bytes], Any], caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.ERROR):
        reply = answers(request("POST", PATH, body(context={"amount": 13})))
    assert reply.status == 500
    assert reply.headers["content-type"] == "application/problem+json"
    assert reply.json["type"] == "urn:featurestore:problem:on-demand-failed"
    assert "on-demand feature 'risk' raised RuntimeError in line" in reply.json["detail"]
    assert reply.json["detail"].endswith(": unlucky")
    assert 'raise RuntimeError("unlucky")' in caplog.text
    assert api.post("/v1/features/plain", {"entities": [{"shop": 1}]}).status == 200
    assert api.post(PATH, body()).status == 200
    some = body(context={"amount": 13}, features=["sold_1d", "hour_of_day"])
    assert api.post(PATH, some).status == 200


def test_both_clients_give_the_same(url: str, catalog: Catalog) -> None:
    async def ask() -> object:
        async with AsyncClient(catalog, url) as client:
            return [
                await client.get("fraud", ENTITIES[0], context=CONTEXT[0]),
                *await client.get_many("fraud", ENTITIES, as_of=NEWEST_US, context=CONTEXT),
            ]

    with Client(catalog, url) as client:
        first = client.get("fraud", ENTITIES[0], context=CONTEXT[0])
        many = client.get_many("fraud", ENTITIES, as_of=NEWEST_US, context=CONTEXT)
        hours = client.get_many("fraud", [{}], features=["hour_of_day"], as_of=NEWEST_US)
    assert [list(vector.values()) for vector in many] == VECTORS
    assert (first["spent_1h"], first["ratio"], first["sold_1d"]) == (2.5, 2.0, None)
    assert hours == [{"hour_of_day": 13}]
    assert asyncio.run(ask()) == [first, *many]


def test_get_prints_it(featurestore: Command, path: str, url: str) -> None:
    words = ["get", path, "fraud", "user_id=u1", "shop=1", "--as-of", NOW, "--redis", url]
    done = featurestore(*words, "--context", "amount=5", "--context", "at=2026-01-31T09:59:00Z")
    assert (done.code, done.err) == (0, "")
    assert json.loads(done.out) == dict(zip(NAMES, VECTORS[0], strict=True))
    some = featurestore(*words, "--features", "hour_of_day,sold_1d")
    assert json.loads(some.out) == {"hour_of_day": 13, "sold_1d": 12.5}
    for option, message in {
        "amount=x": "context: 'amount' must be float, got str 'x'",
        "amont=1": "did you mean 'amount'?",
        "amount=13": "on-demand feature 'risk' raised RuntimeError",
    }.items():
        failed = featurestore(*words, "--context", option)
        assert (failed.code, failed.out) == (1, "")
        assert message in failed.err
    assert featurestore(*words, "--context", "amount").code == 2
    unknown = featurestore(*words, "--features", "hours_of_day")
    assert (unknown.code, "did you mean 'hour_of_day'?" in unknown.err) == (1, True)


def test_check_shows_it(
    featurestore: Command,
    path: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    lines = featurestore("check", path).out.splitlines()
    view = "├── view users  by user_id over 1h, 1d, at most 5h old, by event clock; rows up to "
    assert any(line.startswith(view) for line in lines)
    at = lines.index("service fraud  by user_id str, shop int")
    assert lines[at + 1 : at + 6] == [
        "├── users: spent_1h, seen_1h, payments_1d",
        "├── shops: sold_1d",
        "├── on demand: ratio float, at_hour int = risk(spent_1h, amount float, at datetime?, now)",
        "├── on demand: hour_of_day int = hour_of_day(now)",
        '└── defaults spent_1h 0.0, seen_1h "2000-01-01T00:00:00Z", ratio -1.0',
    ]


def test_it_is_described(api: Api) -> None:
    services = {service["name"]: service for service in api.get("/v1/services").json["services"]}
    fraud = services["fraud"]
    assert fraud["context"] == {"amount": "float", "at": "datetime?"}
    described = {feature["name"]: feature for feature in fraud["features"]}
    assert described["ratio"] == {
        "name": "ratio",
        "type": "float",
        "on_demand": "risk",
        "default": -1.0,
    }
    assert described["seen_1h"]["default"] == LONG_AGO
    assert "default" not in described["payments_1d"]
    assert "context" not in services["plain"]
    views = {view["name"]: view for view in api.get("/v1/views").json["views"]}
    assert (views["users"]["max_age"], views["users"]["clock"]) == ("5h", "event")
    assert (views["shops"]["max_age"], views["shops"]["clock"]) == (None, "wall")


def test_the_examples_of_the_documentation_work(api: Api) -> None:
    schema = httpx.get(f"http://127.0.0.1:{api.port}/openapi.json").json()
    routes = schema["paths"]["/v1/features/{service}"]
    examples = routes["post"]["requestBody"]["content"]["application/json"]["examples"]
    assert examples["fraud"]["value"]["context"] == {"amount": 12.5, "at": "2026-01-31T12:00:00Z"}
    for service, example in examples.items():
        assert api.post(f"/v1/features/{service}", example["value"]).status == 200
    keys = next(p for p in routes["get"]["parameters"] if p["name"] == "keys")
    for service, example in keys["examples"].items():
        query = httpx.QueryParams({k: str(v) for k, v in example["value"].items()})
        assert api.get(f"/v1/features/{service}?{query}").status == 200
    assert "500" in routes["post"]["responses"]
