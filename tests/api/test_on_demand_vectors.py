"""Vectors of functions over HTTP and on the command line."""

import json
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pytest

from featurestore import Catalog, load
from tests.api.server import NOW, Api
from tests.cli.conftest import Command, featurestore

__all__ = ["featurestore"]

DEFINITIONS = """
from datetime import datetime
from typing import Annotated

from pydantic import BaseModel, Field

from featurestore import Entity, FeatureService, FeatureView, Stream, count, on_demand

Pair = Annotated[list[float], Field(min_length=2, max_length=2)]


class Viewed(BaseModel):
    user: str
    at: datetime


viewed = Stream("viewed", contract=Viewed, event_time="at")
views = FeatureView("views", stream=viewed, entity=Entity("user", keys=["user"]), windows=["1d"],
                    features={"n": count()})


@on_demand(context={"item": Pair}, returns={"twice": Pair})
def doubled(features, context):
    if (context["item"] == 13).any():
        return {"twice": context["item"][:, :1]}
    return {"twice": 2 * context["item"]}


ranking = FeatureService("ranking", features=[views, doubled])
"""
PATH = "/v1/features/ranking"
ARROW = "Accept: application/vnd.apache.arrow.stream"


@pytest.fixture
def definitions(tmp_path: Path) -> str:
    path = tmp_path / "ranking.py"
    path.write_text(DEFINITIONS)
    return str(path)


@pytest.fixture
def catalog(definitions: str) -> Catalog:
    return load(definitions)


@pytest.fixture
def api(redis_url: str, start: Callable[..., Api]) -> Api:
    return start(redis_url)


def body(*items: object) -> dict[str, object]:
    contexts = [{"item": item} for item in items]
    return {"entities": [{"user": "u"}] * len(items), "context": contexts, "as_of": NOW}


def test_they_come_as_arrays_of_json_and_as_lists_of_fixed_size_in_arrow(api: Api) -> None:
    assert api.post(PATH, body([1, 2.5], [0, -1])).json["vectors"] == [
        [0, [2.0, 5.0]],
        [0, [0.0, -2.0]],
    ]
    table = pa.ipc.open_stream(api.post(PATH, body([1, 2.5], [0, -1]), ARROW).body).read_all()
    assert table.schema.field("twice").type == pa.list_(pa.float64(), 2)
    assert table.column("twice").to_pylist() == [[2.0, 5.0], [0.0, -2.0]]


def test_what_is_wrong_is_told(api: Api) -> None:
    reply = api.post(PATH, body([1, 2], [1]))
    assert reply.status == 422
    assert reply.json["detail"].startswith("context[1]: 'item' must be a list of 2 floats, got lis")
    failed = api.post(PATH, body([13, 2]))
    assert failed.status == 500
    assert failed.json["detail"] == (
        "on-demand feature 'doubled' returned 'twice', which must be 1 vectors of 2 floats, "
        "one for each entity, got shape (1, 1)"
    )


@pytest.mark.parametrize("item", ["7", "[1", "[" * 20_000, "[1,2,3]", '["a",1]'])
def test_a_vector_in_a_query_is_written_as_in_json(api: Api, item: str) -> None:
    some = api.get(f"{PATH}?user=u&context.item=[1,2.5]")
    assert some.json["vectors"] == [[0, [2.0, 5.0]]]
    wrong = api.get(f"{PATH}?user=u&context.item={item}")
    assert wrong.status == 422
    assert wrong.json["detail"].startswith("context: 'item' must be ")


def test_the_documentation_has_an_example_that_works(api: Api) -> None:
    (service,) = api.get("/v1/services").json["services"]
    assert service["context"] == {"item": "vector[2]"}
    assert service["features"][1]["type"] == "vector[2]"
    paths = api.get("/openapi.json").json["paths"][PATH.replace("ranking", "{service}")]
    content = paths["post"]["requestBody"]["content"]["application/json"]
    example = content["examples"]["ranking"]["value"]
    assert example["context"] == {"item": [0.5, 0.5]}
    assert api.post(PATH, example).json["vectors"] == [[0, [1.0, 1.0]]]
    (keys,) = [one for one in paths["get"]["parameters"] if one["name"] == "keys"]
    assert keys["examples"]["ranking"]["value"]["context.item"] == "[0.5, 0.5]"


def test_the_command_line_takes_and_gives_them(
    api: Api, redis_url: str, definitions: str, featurestore: Command
) -> None:
    words = ("get", definitions, "ranking", "user=u", "--redis", redis_url, "--context")
    assert json.loads(featurestore(*words, "item=[1, 2]").out) == {"n_1d": 0, "twice": [2.0, 4.0]}
    assert "must be vector, got str '[1'" in featurestore(*words, "item=[1").err
    assert (
        "twice vector[2] = doubled(item vector[2], now)" in featurestore("check", definitions).out
    )
