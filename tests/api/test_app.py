"""The rest of the API: what there is, how it is, what it says of itself."""

import re
import time
from datetime import datetime
from pathlib import Path

import httpx
import pytest
import redis
from pydantic import BaseModel, ConfigDict

from api.schemas import StreamSchema
from featurestore import Stream
from featurestore.storage.keys import counts_key
from tests.api.server import NOW, Api


def test_services_views_and_streams_are_listed(api: Api) -> None:
    (users, both) = api.get("/v1/services").json["services"]
    assert (users["name"], users["keys"]) == ("users_v1", {"user_id": "str"})
    assert both["keys"] == {"user_id": "str", "shop": "int"}
    assert both["features"][1] == {
        "name": "average_1d",
        "type": "float",
        "view": "shops",
        "window": "1d",
    }
    views = {view["name"]: view for view in api.get("/v1/views").json["views"]}
    assert views["users"]["windows"] == ["1h", "1d"]
    assert views["users"]["features"][2]["measure"] == "total(amount)"
    (stream,) = api.get("/v1/streams").json["streams"]
    assert stream["event_time"] == "paid_at"
    assert stream["contract"]["properties"]["status"]["enum"] == ["approved", "declined"]


class Clock:
    pass


class Seen(BaseModel):
    model_config = ConfigDict(arbitrary_types_allowed=True)

    user: str
    clock: Clock | None = None
    at: datetime


def test_a_field_of_a_type_without_a_json_schema_may_be_anything_there() -> None:
    described = StreamSchema.of(Stream("seen", contract=Seen, event_time="at"))
    assert described.contract["properties"]["clock"]["anyOf"] == [{}, {"type": "null"}]
    assert described.contract["properties"]["user"]["type"] == "string"


def test_it_is_up_and_ready(api: Api) -> None:
    assert api.get("/healthz").json == {"status": "ok"}
    assert api.get("/readyz").json == {"status": "ready"}


def test_metrics_count_both_ways_in(api: Api, redis_url: str) -> None:
    with redis.Redis.from_url(redis_url) as store:
        store.hset(counts_key("payments"), mapping={"read": 5, "applied": 4, "newest_us": 10**15})
    for headers in ([], ["TE: trailers"]):
        api.get("/v1/features/users_v1?user_id=u1", *headers)
        api.post("/v1/features/users_v1", b"{", *headers)
    api.get("/nowhere")
    reply = api.get("/metrics")
    assert reply.headers["content-type"].startswith("text/plain")
    found = dict(re.findall(r"^(featurestore\S+) (\S+)$", reply.body.decode(), re.MULTILINE))
    route = 'route="/v1/features/{service}"'
    assert found[f'featurestore_requests_total{{{route},status="200"}}'] == "2"
    assert found[f'featurestore_requests_total{{{route},status="400"}}'] == "2"
    assert found['featurestore_requests_total{route="other",status="404"}'] == "1"
    assert found[f"featurestore_request_duration_seconds_count{{{route}}}"] == "4"
    assert found["featurestore_entities_total"] == "2"
    labels = 'stream="payments",outcome="applied"'
    assert found[f"featurestore_stream_events_total{{{labels}}}"] == "4"
    newest = found['featurestore_stream_newest_event_time_seconds{stream="payments"}']
    assert float(newest) == 1e9


def test_every_line_of_the_metrics_is_one(api: Api) -> None:
    api.get("/healthz")
    line = r'(# (HELP|TYPE) \w+ .+|\w+(\{\w+="[^"]*"(,\w+="[^"]*")*\})? [0-9.+e-]+)'
    for text in api.get("/metrics").body.decode().splitlines():
        assert re.fullmatch(line, text), text


def test_a_store_that_comes_back_is_used_again(
    tmp_path: Path, start: object, make_server: object
) -> None:
    server = make_server(tmp_path)  # type: ignore[operator]
    api: Api = start(server.url)  # type: ignore[operator]
    path = "/v1/features/users_v1?user_id=u1"
    assert api.get(path).status == 200
    server.kill()
    assert [api.get(path).status for _ in range(3)] == [503] * 3
    server.start()
    for _ in range(100):
        if api.get(path).status == 200:
            break
        time.sleep(0.05)
    assert api.get("/readyz").status == 200


@pytest.fixture
def schema(api: Api) -> dict:  # type: ignore[type-arg]
    return httpx.get(f"http://127.0.0.1:{api.port}/openapi.json").json()


def test_the_documentation_names_every_route(schema: dict, api: Api) -> None:  # type: ignore[type-arg]
    assert set(schema["paths"]) == {
        "/v1/features/{service}",
        "/v1/streams/{stream}/events",
        "/v1/services",
        "/v1/views",
        "/v1/streams",
        "/healthz",
        "/readyz",
        "/metrics",
    }
    assert api.get("/docs").status == 200


def test_the_examples_of_the_documentation_work(schema: dict, api: Api) -> None:  # type: ignore[type-arg]
    features = schema["paths"]["/v1/features/{service}"]
    body = features["post"]["requestBody"]["content"]["application/json"]
    for service, example in body["examples"].items():
        reply = api.post(f"/v1/features/{service}", {**example["value"], "as_of": NOW})
        assert reply.status == 200
    keys, *others = features["get"]["parameters"][-4:]
    assert [p["name"] for p in others] == ["as_of", "include", "features"]
    for service, example in keys["examples"].items():
        query = httpx.QueryParams({k: str(v) for k, v in example["value"].items()})
        assert api.get(f"/v1/features/{service}?{query}").status == 200
    assert {"400", "404", "413", "422", "503"} <= features["post"]["responses"].keys()
    answer = features["post"]["responses"]["200"]["content"]
    assert set(answer) == {"application/json", "application/vnd.apache.arrow.stream"}
