"""Vectors over HTTP: in with the events, out as JSON and Arrow, described to people."""

import json
import struct
from collections.abc import Callable
from datetime import datetime
from typing import Annotated, Any

import pyarrow as pa
import pytest
import redis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import BaseModel, Field

from featurestore import (
    Catalog,
    Entity,
    FeatureService,
    FeatureView,
    Stream,
    count,
    last,
    mean,
    total,
)
from featurestore.aggregation.layout import Layout
from featurestore.aggregation.partial import partial
from featurestore.contracts.block import Documents
from featurestore.contracts.decoder import Decoder
from featurestore.storage.keys import row_key, view_tag
from tests.api.server import NOW, Api

SERVICE = "tastes_v1"
PATH = f"/v1/features/{SERVICE}"
ARROW = "Accept: application/vnd.apache.arrow.stream"


class Viewed(BaseModel):
    user: str
    at: datetime
    item: Annotated[list[float], Field(min_length=3, max_length=3)]
    mood: Annotated[list[float], Field(min_length=2, max_length=2)] | None = None


@pytest.fixture(scope="module")
def catalog() -> Catalog:
    view = FeatureView(
        "tastes",
        stream=Stream("viewed", contract=Viewed, event_time="at"),
        entity=Entity("user", keys=["user"]),
        windows=["1d"],
        features={"n": count(), "sum": total("item"), "mean": mean("item"), "mood": last("mood")},
    )
    return Catalog.of([FeatureService(SERVICE, features=[view], defaults={"mood_1d": [0, 1]})])


def put(url: str, catalog: Catalog, user: str, *items: list[float]) -> None:
    """Write a row as the flow does, without the flow."""
    view = catalog.view("tastes")
    events = [
        {"user": user, "at": f"2026-01-31T11:00:{second:02}Z", "item": item}
        for second, item in enumerate(items)
    ]
    documents = Documents([json.dumps(event).encode() for event in events], range(len(events)))
    decoded = Decoder(view.stream).decode(documents)
    assert not decoded.rejected
    touched = partial(Layout.of(view), decoded.events)
    tags = [view_tag(view, shard) for shard in range(view.shards)]
    with redis.Redis.from_url(url) as store:
        for key, frame in zip(touched.keys.to_pylist(), touched.frames.to_pylist(), strict=True):
            store.set(row_key(tags, key), frame)


def asked(*users: str) -> dict[str, Any]:
    return {"entities": [{"user": user} for user in users], "as_of": NOW}


def test_a_vector_is_an_array_of_numbers_and_null_without_events(
    redis_url: str, catalog: Catalog, start: Callable[..., Api]
) -> None:
    put(redis_url, catalog, "u1", [1.0, 2.5, -3.0], [2.0, 0.0, 1e-3])
    for header in ([], ["TE: trailers"]):  # before ASGI and through it
        reply = start(redis_url).post(PATH, asked("u1", "x"), *header).json
        assert reply["features"] == ["n_1d", "sum_1d", "mean_1d", "mood_1d"]
        assert reply["vectors"] == [
            [2, [3.0, 2.5, -2.999], [1.5, 1.25, -1.4995], [0.0, 1.0]],
            [0, None, None, [0.0, 1.0]],
        ]


def test_in_arrow_a_vector_is_a_list_of_fixed_size_whatever_is_null(
    redis_url: str, catalog: Catalog, start: Callable[..., Api]
) -> None:
    put(redis_url, catalog, "u1", [1.0, 2.5, -3.0])
    for users in (["u1", "x"], ["x"]):
        body = start(redis_url).post(PATH, asked(*users), ARROW).body
        table = pa.ipc.open_stream(body).read_all()
        assert table.schema.field("sum_1d").type == pa.list_(pa.float64(), 3)
        assert table.schema.field("mood_1d").type == pa.list_(pa.float64(), 2)
        sums = [[1.0, 2.5, -3.0] if user == "u1" else None for user in users]
        assert table.column("sum_1d").to_pylist() == sums
        assert table.column("mood_1d").to_pylist() == [[0.0, 1.0]] * len(users)


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(item=st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=3, max_size=3))
def test_every_bit_survives_json_and_arrow(
    redis_url: str, catalog: Catalog, running: Api, item: list[float]
) -> None:
    put(redis_url, catalog, "u1", item)
    (vector,) = running.post(PATH, asked("u1")).json["vectors"]
    table = pa.ipc.open_stream(running.post(PATH, asked("u1"), ARROW).body).read_all()
    wanted = [component + 0.0 for component in item]  # sums start from 0.0, so no -0.0
    columns = [table.column(name).to_pylist()[0] for name in ("sum_1d", "mean_1d")]
    for found in (vector[1], vector[2], *columns):
        assert struct.pack("3d", *found) == struct.pack("3d", *wanted)


@pytest.fixture
def running(redis_url: str, start: Callable[..., Api]) -> Api:
    return start(redis_url)


def test_people_are_told_how_long_a_vector_is(running: Api) -> None:
    (service,) = running.get("/v1/services").json["services"]
    assert {f["name"]: f["type"] for f in service["features"]} == {
        "n_1d": "int", "sum_1d": "vector[3]", "mean_1d": "vector[3]", "mood_1d": "vector[2]",
    }  # fmt: skip
    assert service["features"][3]["default"] == [0.0, 1.0]
    (view,) = running.get("/v1/views").json["views"]
    assert [feature["type"] for feature in view["features"]] == ["int"] + ["vector[3]"] * 2 + [
        "vector[2]"
    ]
    (stream,) = running.get("/v1/streams").json["streams"]
    assert stream["columns"]["mood"] == "vector[2]"
    assert stream["contract"]["properties"]["item"]["maxItems"] == 3


def test_the_example_of_an_event_in_the_documentation_is_taken(running: Api) -> None:
    api = running.get("/openapi.json").json
    (route,) = [path for path in api["paths"] if path.endswith("/events")]
    body = api["paths"][route]["post"]["requestBody"]["content"]["application/json"]
    event = body["examples"]["viewed"]["value"]
    assert event["item"] == [0.5, 0.5, 0.5]
    assert running.post("/v1/streams/viewed/events", event).status == 202
    wrong = running.post("/v1/streams/viewed/events", {**event, "item": [0.5, 0.5]}).json
    (rejected,) = wrong["rejected"]
    assert rejected["reason"].startswith("invalid: item: List should have at least 3 items")
