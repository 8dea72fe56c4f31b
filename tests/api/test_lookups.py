"""Look-ups over HTTP: the same answer before ASGI and through it."""

import json
import time
from collections.abc import Callable
from typing import Any

import pyarrow as pa
import pytest
import redis

from api.app import Limits
from api.protocol import _plain
from featurestore import Catalog
from tests.api.server import NOW, Api, Connection, request

PATH = "/v1/features/users_v1"
FEATURES = [f"{name}_{w}" for name in ("payments", "spent", "status", "seen") for w in ("1h", "1d")]
U1 = {"user_id": "u1"}


def body(**more: object) -> bytes:
    return json.dumps({"entities": [U1], "as_of": NOW, **more}, ensure_ascii=False).encode()


HALF, FULL = "2026-01-31T11:30:00Z", "2026-01-31T10:00:00Z"
VECTOR = [1, 2, 2.5, 12.5, "declined", "declined", HALF, HALF]
NOBODY = [0, 0, None, None, None, None, None, None]

NESTED = b"[" * 900 + b"]" * 900

# name -> the request, its status, and words of its answer
CASES: dict[str, tuple[bytes, int, list[str]]] = {
    "one entity": (request("POST", PATH, body()), 200, ['"vectors":[[1,2,2.5,12.5,"declined"']),
    "one by its keys": (request("GET", f"{PATH}?user_id=u1&as_of={NOW}"), 200, ["[[1,2,2.5,"]),
    "a key in percents": (
        request("GET", f"{PATH}?user_id=%C3%BC%202&as_of={NOW}&include=statuses,event_times"),
        200,
        ['[[1,1,4.0,4.0,"approved"', "11:45:00.500000Z", "PRESENT"],
    ),
    "an unknown entity": (
        request("POST", PATH, body(entities=[{"user_id": "x"}], include=["statuses"])),
        200,
        ["[[0,0,null,null,null,null,null,null]]", '"statuses":[["NOT_FOUND"'],
    ),
    "an empty window": (
        request("POST", PATH, body(as_of="2026-03-01T00:00:00Z", include=["statuses"])),
        200,
        ["[[0,0,null,", '[["PRESENT","PRESENT","NULL_VALUE"'],
    ),
    "before all events": (
        request("POST", PATH, body(as_of="0001-01-01T00:00:00Z", include=["event_times"])),
        200,
        ['"as_of":"0001-01-01T00:00:00Z"', '"event_times":[[null,'],
    ),
    "a thousand entities": (request("POST", PATH, body(entities=[U1] * 1000)), 200, ["[1,2,2.5,"]),
    "two views": (
        request("POST", "/v1/features/both", body(entities=[{**U1, "shop": 7, "more": [1]}])),
        200,
        ['"features":["spent_1h","average_1d","seen_1d"]', f'[[2.5,4.0,"{HALF}"]]'],
    ),
    "some features": (
        request("POST", "/v1/features/both", body(features=["seen_1d", "spent_1h"])),
        200,  # without the shop's key: that view is not read
        [f'"features":["seen_1d","spent_1h"],"vectors":[["{HALF}",2.5]]'],
    ),
    "some features of one": (
        request("GET", f"/v1/features/both?shop=7&features=average_1d&as_of={NOW}"),
        200,
        ['"features":["average_1d"],"vectors":[[4.0]]'],
    ),
    "an unknown feature": (
        request("POST", PATH, body(features=["spent_1h", "spend_1d"])),
        422,
        ["features[1]: there is no feature 'spend_1d'", "did you mean 'spent_1d'?", "/features/1"],
    ),
    "no features": (request("POST", PATH, body(features=[])), 422, ["name at least one"]),
    "features of numbers": (request("POST", PATH, body(features=[1])), 422, ["$.features[0]"]),
    "no such service": (
        request("POST", "/v1/features/users_v2", body()),
        404,
        ["there is no service 'users_v2'", "did you mean 'users_v1'?", "unknown-service"],
    ),
    "no JSON": (request("POST", PATH, b"{"), 400, ["the body is no JSON", "malformed-json"]),
    "no body": (request("POST", PATH), 400, ["the body is no JSON"]),
    "no UTF-8": (request("POST", PATH, b'{"entities":[{"user_id":"\xff"}]}'), 400, ["is no JSON"]),
    "too deep": (request("POST", PATH, b'{"entities":[{"a":' + b"[" * 9000), 400, ["is no JSON"]),
    "an array": (request("POST", PATH, b"[]"), 422, ["Expected `object`, got `array`"]),
    "an unknown field": (request("POST", PATH, body(asof=NOW)), 422, ["unknown field `asof`"]),
    "entities of text": (request("POST", PATH, body(entities=["u1"])), 422, ["$.entities[0]"]),
    "no entities": (request("POST", PATH, body(entities=[])), 422, ["1 to 1,000, got 0"]),
    "too many": (request("POST", PATH, body(entities=[U1] * 1001)), 422, ["1 to 1,000, got 1,001"]),
    "a key is missing": (
        request("POST", PATH, body(entities=[U1, {"userid": "u1"}])),
        422,
        ["entities[1]: key 'user_id' (str) is missing (has: userid)", '"pointer":"/entities/1"'],
    ),
    "a key of another type": (
        request("POST", PATH, body(entities=[{"user_id": 7}])),
        422,
        ["entities[0]: key 'user_id' must be str, got int 7"],
    ),
    "a key too large": (
        request("POST", "/v1/features/both", body(entities=[{**U1, "shop": 10**30}])),
        422,
        ["key 'shop' must be int"],
    ),
    "a key in as many brackets as can be read": (
        request("POST", PATH, body(entities=[{"user_id": "?"}]).replace(b'"?"', NESTED)),
        422,
        ["entities[0]: key 'user_id' must be str, got list [[[[...]]]]"],
    ),
    "a bad moment": (request("POST", PATH, body(as_of="noon")), 422, ["'noon' is no instant"]),
    "a moment out of range": (
        request("POST", PATH, body(as_of="0001-01-01T00:00:00+14:00")),
        422,
        ["is no instant"],
    ),
    "an unknown include": (
        request("POST", PATH, body(include=["statuses", "status"])),
        422,
        ["include[1] must be one of statuses, event_times, exact, got 'status'; did you mean"],
    ),
    "an unknown parameter": (
        request("GET", f"{PATH}?user_id=u1&asof=x"),
        422,
        ["there is no query parameter 'asof'", "did you mean 'as_of'?"],
    ),
    "a parameter twice": (request("GET", f"{PATH}?user_id=u1&user_id=u2"), 422, ["given twice"]),
    "a parameter of another type": (
        request("GET", "/v1/features/both?user_id=u1&shop=seven"),
        422,
        ["key 'shop' must be int, got str 'seven'"],
    ),
    "a parameter of no text": (request("GET", f"{PATH}?user_id=%ff"), 422, ["percent-encoded"]),
    "no parameters": (request("GET", PATH), 422, ["key 'user_id' (str) is missing (has none)"]),
}


def through_asgi(data: bytes) -> bytes:
    """The same request, but not a plain one."""
    assert _plain(data, {}) is not None, "this case is not hot, so it would compare nothing"
    return data.replace(b"\r\n", b"\r\nTE: trailers\r\n", 1)


@pytest.fixture
def answers(api: Api) -> Callable[[bytes], Any]:
    def ask(data: bytes) -> Any:
        hot, asgi = api.ask(data), api.ask(through_asgi(data))
        assert (hot.status, hot.body) == (asgi.status, asgi.body)
        varying = {"date"}
        names = (hot.headers.keys() | asgi.headers.keys()) - varying
        assert all(hot.headers.get(name) == asgi.headers.get(name) for name in names)
        return hot

    return ask


@pytest.mark.parametrize("name", CASES)
def test_both_ways_answer_alike(name: str, answers: Callable[[bytes], Any]) -> None:
    data, status, words = CASES[name]
    reply = answers(data)
    text = reply.body.decode()
    assert reply.status == status, text
    for word in words:
        assert word in text
    if status == 200:
        assert reply.headers["content-type"] == "application/json"
        return
    assert reply.headers["content-type"] == "application/problem+json"
    problem = reply.json
    assert problem["status"] == status
    assert {"type", "title", "detail", "instance"} <= problem.keys()
    assert problem["instance"].startswith("/v1/features/")


def test_an_answer_names_its_places(answers: Callable[[bytes], Any]) -> None:
    reply = answers(request("POST", PATH, body(entities=[U1, {"user_id": "x"}])))
    assert reply.json == {
        "service": "users_v1",
        "as_of": NOW,
        "features": FEATURES,
        "vectors": [VECTOR, NOBODY],
    }


def test_without_a_moment_it_is_now(api: Api) -> None:
    reply = api.post(PATH, {"entities": [U1]}).json
    assert reply["vectors"] == [[0, 0, *[None] * 6]]
    assert reply["as_of"] > "2026-"


def test_values_have_a_status_and_a_time(answers: Callable[[bytes], Any]) -> None:
    reply = answers(request("POST", PATH, body(include=["event_times", "statuses"]))).json
    assert reply["statuses"] == [["PRESENT"] * 8]
    assert reply["event_times"] == [[HALF] * 8]


@pytest.mark.parametrize("include", [[], ["statuses", "event_times"]])
def test_arrow_has_a_typed_column_for_each_feature(
    include: list[str], answers: Callable[[bytes], Any]
) -> None:
    arrow = "application/vnd.apache.arrow.stream"
    asked = body(entities=[U1, {"user_id": "x"}], include=include)
    reply = answers(request("POST", PATH, asked, f"Accept: {arrow}"))
    assert (reply.status, reply.headers["content-type"]) == (200, arrow)
    table = pa.ipc.open_stream(reply.body).read_all()
    assert table.schema.names[:8] == FEATURES
    types = [pa.int64(), pa.float64(), pa.string(), pa.timestamp("us", "UTC")]
    assert table.schema.types[:8] == [t for t in types for _ in range(2)]
    assert table.schema.metadata == {b"service": b"users_v1", b"as_of": NOW.encode()}
    assert table["spent_1d"].to_pylist() == [12.5, None]
    assert table["payments_1d"].to_pylist() == [2, 0]
    assert [str(t) for t in table["seen_1d"].to_pylist()] == ["2026-01-31 11:30:00+00:00", "None"]
    if include:
        assert table["spent_1d__status"].to_pylist() == ["PRESENT", "NOT_FOUND"]
        assert table["spent_1d__event_time"].to_pylist()[1] is None
    else:
        assert len(table.schema.names) == 8


def test_an_error_is_a_problem_even_where_arrow_is_asked_for(
    answers: Callable[[bytes], Any],
) -> None:
    accept = "Accept: application/vnd.apache.arrow.stream"
    reply = answers(request("POST", PATH, body(entities=[]), accept))
    assert reply.headers["content-type"] == "application/problem+json"


def test_any_content_type_is_json(answers: Callable[[bytes], Any]) -> None:
    for kind in ("text/plain", "application/x-www-form-urlencoded", "application/json; charset=x"):
        assert answers(request("POST", PATH, body(), f"Content-Type: {kind}")).status == 200


def test_a_body_in_pieces_is_one_body(api: Api) -> None:
    data = request("POST", PATH, body())
    for cut in (1, 30, 60, len(data) - 1):
        assert api.ask(data[:cut], data[cut:]).json["vectors"] == [VECTOR]


def test_a_chunked_body_is_one_body(api: Api) -> None:
    head = f"POST {PATH} HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n".encode()
    chunk = body()
    data = head + b"%x\r\n%b\r\n0\r\n\r\n" % (len(chunk), chunk)
    assert api.ask(data).json["vectors"] == [VECTOR]


def test_who_expects_continue_is_told_to(api: Api) -> None:
    connection = api.connect()
    data = request("POST", PATH, body(), "Expect: 100-continue")
    head, _, rest = data.partition(b"\r\n\r\n")
    connection.send(head + b"\r\n\r\n")
    assert connection.file.readline() == b"HTTP/1.1 100 Continue\r\n"
    connection.file.readline()
    connection.send(rest)
    assert connection.receive().json["vectors"] == [VECTOR]
    connection.close()


def read_all(connection: Connection, number: int) -> list[Any]:
    return [connection.receive() for _ in range(number)]


def test_pipelined_requests_are_answered_in_order(api: Api) -> None:
    one = request("POST", PATH, body())
    other = request("GET", "/healthz")
    third = request("GET", f"{PATH}?user_id=x")
    connection = api.connect()
    connection.send(one + other + third, other + one, one, third)
    replies = read_all(connection, 7)
    assert [reply.json.get("vectors", reply.json) for reply in replies] == [
        [VECTOR],
        {"status": "ok"},
        [NOBODY],
        {"status": "ok"},
        [VECTOR],
        [VECTOR],
        [NOBODY],
    ]
    connection.close()


def test_what_comes_while_a_look_up_is_under_way_waits(api: Api) -> None:
    connection = api.connect()
    slow = request("POST", PATH, body(entities=[U1] * 900))
    connection.socket.sendall(slow)
    for _ in range(3):
        connection.socket.sendall(request("GET", f"{PATH}?user_id=x"))
        connection.socket.sendall(request("GET", "/healthz"))
    replies = read_all(connection, 7)
    assert len(replies[0].json["vectors"]) == 900
    assert [r.json.get("vectors", "ok") for r in replies[1:]] == [[NOBODY], "ok"] * 3
    connection.close()


def test_http_1_0_and_close_end_the_connection(api: Api) -> None:
    for data in (
        request("GET", f"{PATH}?user_id=x").replace(b"HTTP/1.1", b"HTTP/1.0"),
        request("GET", f"{PATH}?user_id=x", b"", "Connection: close"),
    ):
        connection = api.connect()
        connection.send(data)
        assert connection.receive().json["vectors"] == [NOBODY]
        assert connection.ends()
        connection.close()


@pytest.mark.parametrize(
    "head",
    [
        "POST /v1/features/x HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n",
        "POST /v1/features/x HTTP/1.1\r\nHost: h\r\nContent-Length: -2\r\n\r\n",
        "POST /v1/features/x HTTP/1.1\r\nHost : h\r\nContent-Length: 0\r\n\r\n",
        "GET /v1/features/x HTTP/1.1\r\nHost: h\r\nbad header\r\n\r\n",
        "GET /v1/features/x HTTP/9.9\r\nHost: h\r\n\r\n",
    ],
)
def test_a_head_that_is_not_http_is_refused(head: str, api: Api) -> None:
    assert _plain(head.encode(), {}) is None
    connection = api.connect()
    connection.send(head.encode())
    reply = connection.receive()
    assert (reply.status, reply.headers["content-type"]) == (400, "application/problem+json")
    assert reply.json["type"] == "urn:featurestore:problem:malformed-http"
    assert connection.ends()
    connection.close()


def test_another_method_is_told_which_there_are(api: Api) -> None:
    reply = api.ask(request("DELETE", PATH))
    assert reply.status == 405
    assert {"GET", "POST"} <= set(reply.headers["allow"].replace(" ", "").split(","))
    assert reply.json["detail"].startswith("DELETE is not for this path")


def test_an_unknown_path_is_a_problem(api: Api) -> None:
    for path in ("/v1/feature/users_v1", "/v1/features/users_v1/", "/v1/features/"):
        reply = api.get(path)
        assert (reply.status, reply.headers["content-type"]) == (404, "application/problem+json")


def test_a_body_that_is_too_large_is_not_read(redis_url: str, start: Callable[..., Api]) -> None:
    api = start(redis_url, Limits(lookup_bytes=1000))
    reply = api.post(PATH, body(entities=[U1] * 100))
    assert reply.status == 413
    assert "at most 1,000 bytes" in reply.json["detail"]
    chunked = (
        f"POST {PATH} HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n".encode()
        + b"3e9\r\n"
        + b"x" * 1001
        + b"\r\n0\r\n\r\n"
    )
    assert api.ask(chunked).status == 413


def test_without_a_store_it_is_503_and_says_when_to_come_back(start: Callable[..., Api]) -> None:
    api = start("redis://127.0.0.1:1/0")
    data = request("POST", PATH, body())
    for reply in (api.ask(data), api.ask(through_asgi(data))):
        assert reply.status == 503
        assert reply.headers["retry-after"] == "1"
        assert "cannot reach the store at redis://127.0.0.1:1/0" in reply.json["detail"]
    assert api.get("/readyz").status == 503
    assert api.get("/healthz").status == 200


def test_a_damaged_row_is_our_fault_and_harms_no_other(
    api: Api, redis_url: str, catalog: Catalog
) -> None:
    with redis.Redis.from_url(redis_url) as store:
        (key,) = store.keys("*users@*:u1")
        for damaged in (b"\x00" * 24, b"\x11\x00\x01", b"?"):
            store.set(key, damaged)
            assert api.post(PATH, body()).status == 500
    assert api.post(PATH, body(entities=[{"user_id": "x"}])).status == 200


def test_an_idle_connection_is_closed_and_one_in_use_is_not(
    redis_url: str, start: Callable[..., Api]
) -> None:
    api = start(redis_url, keep_alive=0.4)
    idle, used = api.connect(), api.connect()
    for connection in (idle, used):
        connection.send(request("GET", f"{PATH}?user_id=x"))
        assert connection.receive().status == 200
    for _ in range(6):
        time.sleep(0.15)
        used.send(request("GET", f"{PATH}?user_id=x"))
        assert used.receive().status == 200
    assert idle.ends()
    assert used.ends()
    idle.close()
    used.close()
