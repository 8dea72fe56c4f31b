"""What both ways to a look-up owe to whoever asks, however they ask."""

import json

import pytest

from api.answer import Answer
from api.lookups import Lookups, Request
from api.metrics import Metrics
from featurestore import Catalog
from featurestore.serving.plan import Plan
from featurestore.storage.rows import AsyncRows
from tests.api.server import NOW, Api, request

PATH = "/v1/features/users_v1"
BODY = json.dumps({"entities": [{"user_id": "u1"}], "as_of": NOW}).encode()


@pytest.mark.parametrize("pieces", [1, 2])
def test_a_wish_for_another_protocol_is_passed_over(pieces: int, api: Api) -> None:
    wish = ["Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "HTTP2-Settings: AAEAAEAA"]
    data = request("POST", PATH, BODY, *wish)
    end = data.index(b"\r\n\r\n") + 4
    connection = api.connect()
    for sent in (data, request("POST", PATH, BODY)):
        connection.send(*([sent] if pieces == 1 else [sent[:end], sent[end:]]))
        assert connection.receive().json["vectors"][0][:3] == [1, 2, 2.5]
    connection.close()


def test_a_fault_of_ours_is_answered_whatever_way_the_request_came(catalog: Catalog) -> None:
    def broken() -> int:
        raise OverflowError

    plans = {name: Plan(service) for name, service in catalog.services.items()}
    lookups = Lookups(plans, AsyncRows("redis://127.0.0.1:1"), Metrics.alone(), broken)
    answers: list[Answer] = []
    lookups.start(Request("users_v1", b"user_id=u1", b"", arrow=False), answers.append)
    assert [answer.status for answer in answers] == [500]
    assert b'"detail":"OverflowError: ","instance":"/v1/features/users_v1"' in answers[0].body


def test_what_came_is_repeated_in_part_however_long_it_was(api: Api) -> None:
    asked = json.dumps({"entities": [{"user_id": "u1"}], "features": ["f" * 1_000_000]})
    reply = api.ask(request("POST", PATH, asked.encode()))
    assert reply.status == 422
    assert reply.json["detail"].startswith("features[0]: there is no feature 'ffff")
    assert len(reply.json["detail"]) < 5000
