"""Flows side by side, each for some of the streams."""

import time
from pathlib import Path
from typing import Any

import orjson
import pytest
import redis

from featurestore.definitions.catalog import load
from featurestore.errors import SourceError
from flows import main
from flows.main import Job, staged
from tests.cli.conftest import Command, featurestore
from tests.faults.processes import Flow

__all__ = ["featurestore"]

DEFINITIONS = """
from datetime import datetime
from pydantic import BaseModel
from featurestore import Entity, FeatureView, Stream, count

class Event(BaseModel):
    user: str
    at: datetime

user = Entity("user", keys=["user"])

def counted(name):
    stream = Stream(name, contract=Event, event_time="at")
    return FeatureView(f"{name}_by_user", stream=stream, entity=user,
                       windows=["1d"], features={f"{name}_n": count()})

clicks, views, sales = map(counted, ["clicks", "views", "sales"])
"""
EVENT = orjson.dumps({"user": "u", "at": "2026-01-01T00:00:00Z"})


@pytest.fixture
def definitions(tmp_path: Path) -> Path:
    path = tmp_path / "features.py"
    path.write_text(DEFINITIONS)
    return path


@pytest.fixture
def store(redis_url: str) -> Any:
    with redis.Redis.from_url(redis_url) as store:
        yield store


def read(store: Any, stream: str) -> int:
    return int(store.hget(f"{{fs:{stream}}}!counts", "applied") or 0)


def until_read(store: Any, *streams: str) -> None:
    until = time.monotonic() + 20
    while any(read(store, stream) < 10 for stream in streams):
        assert time.monotonic() < until, {stream: read(store, stream) for stream in streams}
        time.sleep(0.02)


def test_each_flow_reads_its_own_streams_and_leaves_the_others_alone(
    tmp_path: Path, definitions: Path, redis_url: str, store: Any
) -> None:
    keys = {"clicks": "the-clicks", "views": "the-views", "sales": "{fs:sales}!events"}
    options = [
        [
            word
            for s in streams
            for word in ("--stream", s, "--source", f"{s}={redis_url}/{keys[s]}")
        ]
        for streams in (["clicks"], ["views"])
    ]
    options[1] += ["--stream", "sales"]  # over HTTP
    first = Flow(tmp_path, definitions, redis_url, *options[0])
    for _ in range(10):
        store.xadd(keys["clicks"], {"event": EVENT})
        store.xadd(keys["sales"], {"event": EVENT})
    until_read(store, "clicks")
    assert read(store, "sales") == 0, "nobody reads it yet"
    second = Flow(tmp_path, definitions, redis_url, *options[1])
    for _ in range(10):
        store.xadd(keys["views"], {"event": EVENT})
    until_read(store, "views", "sales")
    assert first.process.poll() is None, "the second has taken nothing of it over"
    for flow, said in ((first, "reading clicks;"), (second, "reading views, sales;")):
        flow.process.terminate()
        code, _, err = flow.wait()
        assert (code, said in err) == (0, True), err


def test_streams_that_are_read_elsewhere_are_in_no_stage(tmp_path: Path, definitions: Path) -> None:
    (tmp_path / "clicks.jsonl").write_bytes(EVENT)
    sources = [("clicks", str(tmp_path / "clicks.jsonl"))]
    job = Job(str(definitions), sources, "redis://none", only=["clicks", "sales"])
    assert [stage.streams for stage in staged(job)] == [["clicks", "sales"]]
    feeds = main._feeds(job, load(str(definitions)), 0, 1)
    assert [feed.stream.name for feed in feeds] == ["clicks", "sales"]
    endless = Job(str(definitions), sources, "redis://none", until_end=True, only=["sales"])
    with pytest.raises(SourceError, match="stream 'sales' has no end"):
        main._feeds(endless, load(str(definitions)), 0, 1)


def test_a_source_of_a_stream_that_is_not_read_is_refused(
    definitions: Path, redis_url: str, featurestore: Command
) -> None:
    words = ("run", str(definitions), "--redis", redis_url, "--stream", "clicks")
    done = featurestore(*words, "--source", "views=views.jsonl")
    assert done.code == 2
    assert "'views' is not among the streams to read: add --stream views" in done.err
    unknown = featurestore(*words, "--stream", "click")
    assert (unknown.code, "did you mean 'clicks'?" in unknown.err) == (1, True)
