"""Which values are exact, over HTTP, as Arrow and on the command line."""

import json
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pytest
import redis

from featurestore import Catalog, load
from featurestore.aggregation.compaction import compact
from featurestore.aggregation.layout import Layout
from tests.api.server import Api, put
from tests.cli.conftest import Command, featurestore

__all__ = ["featurestore"]

DEFINITIONS = """
from datetime import datetime
from typing import Literal

from pydantic import BaseModel

from featurestore import Entity, FeatureService, FeatureView, Stream, count


class Payment(BaseModel):
    payment_id: str
    user_id: str
    shop: int
    amount: float
    status: Literal["approved", "declined"]
    paid_at: datetime


payments = Stream("payments", contract=Payment, event_time="paid_at")
users = FeatureView("users", stream=payments, entity=Entity("user", keys=["user_id"]),
                    windows=["1h", "1d"], features={"n": count()}, record_budget=2)
service = FeatureService("s", features=[users])
"""
PATH = "/v1/features/s"
CUT = "2026-01-31T12:30:30Z"  # an hour after a moment amid the tile of the busy user
EVENTS = [
    *(("busy", 1, 1.0, "approved", f"2026-01-31T11:30:{second}Z") for second in range(10, 50)),
    ("calm", 1, 1.0, "approved", "2026-01-31T11:31:00Z"),
]
ASKED = {"entities": [{"user_id": "busy"}, {"user_id": "calm"}], "as_of": CUT}


@pytest.fixture
def definitions(tmp_path: Path) -> str:
    path = tmp_path / "definitions.py"
    path.write_text(DEFINITIONS)
    return str(path)


@pytest.fixture
def catalog(definitions: str) -> Catalog:
    return load(definitions)


@pytest.fixture
def api(redis_url: str, catalog: Catalog, start: Callable[..., Api]) -> Api:
    put(redis_url, catalog, EVENTS)
    with redis.Redis.from_url(redis_url) as store:
        (key,) = store.keys("*:busy")
        (short,) = compact(Layout.of(catalog.view("users")), [store.get(key)])
        store.set(key, short)
    return start(redis_url)


def test_it_is_told_of_each_value_where_it_is_asked_for(api: Api) -> None:
    for header in ([], ["TE: trailers"]):  # before ASGI and through it
        reply = api.post(PATH, ASKED | {"include": ["exact"]}, *header).json
        assert reply["features"] == ["n_1h", "n_1d"]
        assert reply["vectors"] == [[40, 40], [1, 1]]
        assert reply["exact"] == [[False, True], [True, True]]
    assert "exact" not in api.post(PATH, ASKED).json
    assert api.get(f"{PATH}?user_id=busy&as_of={CUT}&include=exact,statuses").json["exact"] == [
        [False, True]
    ]


def test_in_arrow_it_is_a_column_of_booleans(api: Api) -> None:
    arrow = "Accept: application/vnd.apache.arrow.stream"
    body = api.post(PATH, ASKED | {"include": ["exact"]}, arrow).body
    table = pa.ipc.open_stream(body).read_all()
    assert table.schema.names == ["n_1h", "n_1d", "n_1h__exact", "n_1d__exact"]
    assert table.schema.field("n_1h__exact").type == pa.bool_()
    assert table["n_1h__exact"].to_pylist() == [False, True]


def test_the_documentation_says_so(api: Api) -> None:
    described = api.get("/openapi.json").json
    assert "exact" in described["components"]["schemas"]["FeaturesResponse"]["properties"]
    parameters = described["paths"]["/v1/features/{service}"]["get"]["parameters"]
    (include,) = [one for one in parameters if one["name"] == "include"]
    assert include["schema"]["items"]["enum"] == ["statuses", "event_times", "exact"]


def test_the_command_line_explains_each_value(
    api: Api, redis_url: str, definitions: str, featurestore: Command
) -> None:
    words = ("get", definitions, "s", "user_id=busy", "--as-of", CUT, "--redis", redis_url)
    explained = json.loads(featurestore(*words, "--explain").out)
    assert explained["n_1h"] == {
        "value": 40,
        "status": "PRESENT",
        "event_time": "2026-01-31T11:30:49Z",
        "exact": False,
    }
    assert explained["n_1d"]["exact"]
    assert json.loads(featurestore(*words).out) == {"n_1h": 40, "n_1d": 40}
