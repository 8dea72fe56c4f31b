"""Vectors from files through the flow to the command line."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.csv as pacsv
import pyarrow.parquet as pq
import pytest

from tests.cli.conftest import Command

FEATURES = """
from datetime import datetime
from typing import Annotated

from pydantic import BaseModel, Field

from featurestore import Entity, FeatureService, FeatureView, Stream, count, last, mean, total


class Viewed(BaseModel):
    user: str
    item: Annotated[list[float], Field(min_length=6, max_length=6)]
    mood: Annotated[list[float], Field(min_length=2, max_length=2)] | None = None
    at: datetime


viewed = Stream("viewed", contract=Viewed, event_time="at")
tastes = FeatureView(
    "tastes",
    stream=viewed,
    entity=Entity("user", keys=["user"]),
    windows=["1h"],
    features={"n": count(), "taste": total("item"), "mean": mean("item"), "mood": last("mood")},
)
service = FeatureService("tastes_v1", features=[tastes])
"""
AT = datetime(2026, 1, 1, 12, tzinfo=UTC)
EVENTS: list[dict[str, Any]] = [
    {"user": "u1", "item": [1.0, 2.0, 3.0, 4.0, 5.0, 0.25], "mood": None},
    {"user": "u1", "item": [0.5, 0.5, 0.5, -4.0, 0.0, 0.25], "mood": [0.1, 0.2]},
    {"user": "u1", "item": [0.0] * 5, "mood": None},
    {"user": "u2", "item": [9.0] * 6, "mood": [1.0, 0.0]},
]
for place, each in enumerate(EVENTS):
    each["at"] = (AT + timedelta(minutes=place)).isoformat()


def jsonl(folder: Path) -> Path:
    path = folder / "viewed.jsonl"
    path.write_text("".join(json.dumps(event) + "\n" for event in EVENTS))
    return path


def csv(folder: Path) -> Path:
    path = folder / "viewed.csv"
    cells = [
        {n: json.dumps(v) if isinstance(v, list) else v or "" for n, v in event.items()}
        for event in EVENTS
    ]
    pacsv.write_csv(pa.Table.from_pylist(cells), path)
    return path


def parquet(folder: Path, item: pa.DataType) -> Path:
    path = folder / "viewed.parquet"
    moment = pa.timestamp("us", "UTC")
    columns = {
        "user": pa.array([event["user"] for event in EVENTS]),
        "item": pa.array([event["item"] for event in EVENTS], item),
        "mood": pa.array([event["mood"] for event in EVENTS], pa.list_(pa.float64(), 2)),
        "at": pa.array([datetime.fromisoformat(event["at"]) for event in EVENTS], moment),
    }
    pq.write_table(pa.table(columns), path)
    return path


@pytest.fixture
def definitions(tmp_path: Path) -> str:
    path = tmp_path / "features.py"
    path.write_text(FEATURES)
    return str(path)


SOURCES = {
    "jsonl": jsonl,
    "csv": csv,
    "parquet lists": lambda folder: parquet(folder, pa.list_(pa.float64())),
    "parquet floats of 32 bits": lambda folder: parquet(folder, pa.large_list(pa.float32())),
}


@pytest.mark.parametrize("source", SOURCES)
def test_vectors_of_a_file_are_added_up_and_a_short_one_is_a_dead_letter(
    featurestore: Command, definitions: str, tmp_path: Path, redis_url: str, source: str
) -> None:
    path, store = SOURCES[source](tmp_path), ("--redis", redis_url)
    run = featurestore("run", definitions, "--source", f"viewed={path}", "--until-end", *store)
    assert run.code == 0
    asked = ("get", definitions, "tastes_v1", "--as-of", "2026-01-01T12:30:00Z", *store)
    got = featurestore(*asked, "user=u1")
    assert json.loads(got.out) == {
        "n_1h": 2,
        "taste_1h": [1.5, 2.5, 3.5, 0.0, 5.0, 0.5],
        "mean_1h": [0.75, 1.25, 1.75, 0.0, 2.5, 0.25],
        "mood_1h": [0.1, 0.2],
    }
    nobody = json.loads(featurestore(*asked, "user=u3").out)
    assert nobody == {"n_1h": 0, "taste_1h": None, "mean_1h": None, "mood_1h": None}
    letters = featurestore("dead-letters", "list", definitions, *store).out
    assert "item: List should have at least 6 items after validation, not 5" in letters
    row = featurestore("inspect", definitions, "tastes", "user=u1", *store).out
    assert "2 events" in row
    assert "[1, 2, 3, 4, …] of 6" in " ".join(row.replace("│", " ").split())


def test_check_shows_how_long_vectors_are(featurestore: Command, definitions: str) -> None:
    done = featurestore("check", definitions)
    assert (done.code, done.err) == (0, "")
    assert "columns user str, item vector[6], mood vector[2]?, at datetime" in done.out
    assert "taste = total(item)  vector[6]" in done.out


def test_check_says_how_a_list_becomes_a_vector(featurestore: Command, definitions: str) -> None:
    path = Path(definitions)
    path.write_text(path.read_text().replace("min_length=6, max_length=6", "max_length=6"))
    done = featurestore("check", definitions)
    assert done.code == 1
    assert "column 'item' of stream 'viewed' is a list of any length" in done.err
    assert "Annotated[list[float], Field(min_length=n, max_length=n)]" in done.err
