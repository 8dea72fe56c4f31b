"""Events over HTTP."""

import json
import time
from collections.abc import Callable

import pytest
import redis
from hypothesis import given
from hypothesis import strategies as st

from api.app import Limits
from api.ingest import MOST_EVENTS, split
from featurestore import Catalog
from featurestore.storage.keys import events_key, watermark_field, watermarks_key
from tests.api.server import Api, request

PATH = "/v1/streams/payments/events"
KEY = events_key("payments")


def event(number: int, **more: object) -> dict[str, object]:
    return {
        "payment_id": f"p{number}",
        "user_id": "u1",
        "shop": 1,
        "amount": 1.5,
        "status": "approved",
        "paid_at": "2026-01-31T12:00:00Z",
        **more,
    }


def kept(url: str) -> list[dict[str, object]]:
    with redis.Redis.from_url(url) as store:
        return [json.loads(fields[b"event"]) for _, fields in store.xrange(KEY)]


@pytest.mark.parametrize(
    "body",
    [
        json.dumps([event(1), event(2)]).encode(),
        json.dumps([event(1), event(2)], indent=1).encode(),
        b"\n".join(json.dumps(event(n)).encode() for n in (1, 2)),
        b"\r\n" + b"\r\n\r\n".join(json.dumps(event(n)).encode() for n in (1, 2)) + b"\r\n",
    ],
)
def test_an_array_and_json_lines_are_appended_in_order(
    body: bytes, api: Api, redis_url: str
) -> None:
    reply = api.post(PATH, body)
    assert (reply.status, reply.json) == (202, {"accepted": 2, "rejected": []})
    assert kept(redis_url) == [event(1), event(2)]


def test_one_object_over_several_lines_is_one_event(api: Api, redis_url: str) -> None:
    reply = api.post(PATH, json.dumps(event(1), indent=2).encode())
    assert reply.json == {"accepted": 1, "rejected": []}
    assert kept(redis_url) == [event(1)]


def test_an_event_that_breaks_the_contract_is_named_and_harms_no_other(
    api: Api, redis_url: str
) -> None:
    lines = [json.dumps(event(1)), '{"payment_id": ', json.dumps(event(3, amount="much")), "7"]
    reply = api.post(PATH, "\n".join([*lines, json.dumps(event(5))]).encode())
    assert reply.status == 202
    assert reply.json["accepted"] == 2
    assert [r["index"] for r in reply.json["rejected"]] == [1, 2, 3]
    assert all(r["reason"] for r in reply.json["rejected"])
    assert kept(redis_url) == [event(1), event(5)]


def test_when_nothing_is_accepted_nothing_is_appended(api: Api, redis_url: str) -> None:
    reply = api.post(PATH, [{"payment_id": "p1"}])
    assert (reply.status, reply.json["accepted"], len(reply.json["rejected"])) == (202, 0, 1)
    assert kept(redis_url) == []


def test_an_empty_array_is_no_mistake(api: Api) -> None:
    assert api.post(PATH, b"[]").json == {"accepted": 0, "rejected": []}


@pytest.mark.parametrize("body", [b"", b"{", b'[{"a": 1}', b"\xff", b"one\ntwo", b"[" * 5000])
def test_what_is_no_json_is_400(body: bytes, api: Api) -> None:
    reply = api.post(PATH, body)
    assert (reply.status, reply.headers["content-type"]) == (400, "application/problem+json")
    assert "neither a JSON object" in reply.json["detail"]


def test_an_array_over_lines_that_is_broken_in_one_is_not_taken_for_json_lines(
    api: Api, redis_url: str
) -> None:
    lines = ["[", json.dumps(event(1)) + ",", '{"payment_id": p2},', json.dumps(event(3)), "]"]
    for body in ("\n".join(lines), "\n".join(lines[:2] + lines[3:4])):
        assert api.post(PATH, body.encode()).status == 400
    assert kept(redis_url) == []


def test_a_sender_who_leaves_in_mid_body_is_no_fault_of_ours(
    api: Api, caplog: pytest.LogCaptureFixture
) -> None:
    connection = api.connect()
    connection.send(request("POST", PATH, json.dumps(event(1)).encode())[:-1])
    connection.close()
    answered = 'featurestore_requests_total{route="/v1/streams/{stream}/events",status="400"} 1'
    for _ in range(100):
        if answered in (metrics := api.get("/metrics").body.decode()):
            break
        time.sleep(0.05)
    assert answered in metrics
    assert not caplog.records


def test_an_unknown_stream_is_404(api: Api) -> None:
    reply = api.post("/v1/streams/payment/events", event(1))
    assert reply.status == 404
    assert "did you mean 'payments'?" in reply.json["detail"]


def test_too_many_events_are_413_and_none_is_taken(api: Api, redis_url: str) -> None:
    reply = api.post(PATH, b"[" + b",".join([b"{}"] * (MOST_EVENTS + 1)) + b"]")
    assert reply.status == 413
    assert "at most 10,000 events a call, got 10,001" in reply.json["detail"]
    assert kept(redis_url) == []


def test_a_body_that_is_too_large_is_413(redis_url: str, start: Callable[..., Api]) -> None:
    api = start(redis_url, Limits(events_bytes=100))
    assert api.post(PATH, json.dumps(event(1)).encode()).status == 413


def test_many_events_are_taken_in_one_call(api: Api, redis_url: str) -> None:
    reply = api.post(PATH, [event(number) for number in range(MOST_EVENTS)])
    assert reply.json == {"accepted": MOST_EVENTS, "rejected": []}
    assert kept(redis_url) == [event(number) for number in range(MOST_EVENTS)]


def test_a_store_out_of_memory_is_503_and_has_none_of_them(api: Api, redis_url: str) -> None:
    with redis.Redis.from_url(redis_url) as store:
        store.config_set("maxmemory", "1")
        try:
            reply = api.post(PATH, [event(1), event(2)])
        finally:
            store.config_set("maxmemory", "0")
    assert (reply.status, reply.headers["retry-after"]) == (503, "1")
    assert "OOM" in reply.json["detail"]
    assert kept(redis_url) == []
    assert api.post(PATH, event(3)).status == 202


def test_without_a_store_it_is_503(start: Callable[..., Api]) -> None:
    reply = start("redis://127.0.0.1:1/0").post(PATH, event(1))
    assert (reply.status, reply.headers["retry-after"]) == (503, "1")


def test_a_backlog_that_is_full_is_429_until_the_flow_has_committed(
    redis_url: str, catalog: Catalog, start: Callable[..., Api], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("api.ingest.BACKLOG_CHECK_SECONDS", 0.0)
    api = start(redis_url, Limits(events_waiting=10))
    assert api.post(PATH, [event(n) for n in range(10)]).status == 202
    refused = api.post(PATH, event(11))
    assert (refused.status, refused.headers["retry-after"]) == (429, "1")
    assert "about 10 events of stream 'payments' wait" in refused.json["detail"]
    assert len(kept(redis_url)) == 10
    with redis.Redis.from_url(redis_url) as store:
        milliseconds, _, number = store.xrevrange(KEY, count=1)[0][0].decode().partition("-")
        mark = b"%d -" % (int(milliseconds) << 64 | int(number))
        for view in catalog.views.values():
            store.hset(watermarks_key("payments"), watermark_field(view, KEY.decode()), mark)
    assert api.post(PATH, [event(n) for n in range(10)]).status == 202


def test_a_pipelined_second_body_is_not_part_of_the_first(api: Api, redis_url: str) -> None:
    connection = api.connect()
    bodies = [json.dumps(event(number)).encode() for number in (1, 2)]
    connection.send(b"".join(request("POST", PATH, body) for body in bodies))
    assert [connection.receive().json["accepted"] for _ in bodies] == [1, 1]
    connection.close()
    assert kept(redis_url) == [event(1), event(2)]


documents = st.dictionaries(st.text(max_size=5), st.one_of(st.integers(), st.text()), max_size=3)


@given(st.lists(documents, min_size=1, max_size=5), st.sampled_from([None, 1]))
def test_every_shape_of_a_body_holds_the_same_documents(
    events: list[dict[str, object]], indent: int | None
) -> None:
    lines = b"\n".join(json.dumps(e).encode() for e in events)
    array = json.dumps(events, indent=indent).encode()
    assert [json.loads(d) for d in split(lines)] == events
    assert [json.loads(d) for d in split(array)] == events
    assert [json.loads(d) for d in split(json.dumps(events[0], indent=indent).encode())] == events[
        :1
    ]
