"""Look-ups on a Redis Cluster: rows of another stream on all its nodes, a hash on one of them."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from featurestore import Reference
from featurestore.client import Client
from featurestore.errors import SourceError
from flows.main import Job, run_worker
from flows.processes import Processes
from flows.references import LiveReferences
from tests.cluster import NODES, Cluster
from tests.enrichment import profiles
from tests.enrichment.test_in_the_flow import by_country, expected, made, written


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    cluster = Cluster(tmp_path_factory.mktemp("cluster"))
    yield cluster
    cluster.close()


@pytest.fixture
def empty(cluster: Cluster) -> Cluster:
    with cluster.client() as client:
        client.flushall()
    return cluster


@pytest.mark.parametrize("processes", [1, 2])
def test_events_find_the_newest_ones_of_another_stream_on_whichever_node_they_are(
    processes: int, tmp_path: Path, empty: Cluster
) -> None:
    definitions = tmp_path / "looked_up_features.py"
    definitions.write_text(profiles.DEFINITIONS)
    updates, asked = made(1)
    sources = [
        ("payments", written(tmp_path, "payments", asked, 2)),
        ("profiles", written(tmp_path, "profiles", updates, 2)),
    ]
    job = Job(str(definitions), sources, empty.urls[4], until_end=True)
    summary = Processes(job, processes).run() if processes > 1 else run_worker(job)
    assert summary.lines()[:3] == ["read 2200", "applied 2200", "late 0"]
    assert by_country(str(definitions), empty.urls[2]) == expected(updates, asked)
    with empty.client() as client:
        keys = [key.decode() for key in client.scan_iter("{fs:latest:*}:*")]
    assert len({empty.owner(key) for key in keys}) > 1, "the rows lie on several nodes"


SHOPS = {"m1": {"risk": 0.25}, "m2": {"risk": 0.5}}


def shops(url: str, key: str) -> Reference:
    return Reference("shops", source=f"{url}/{key}", key="shop", columns={"risk": float})


def test_a_hash_is_read_by_the_url_of_any_node_of_its_cluster(empty: Cluster) -> None:
    with empty.client() as client:
        for key in ("a", "b", "c", "d"):  # on nodes all over
            client.hset(key, mapping={shop: json.dumps(row) for shop, row in SHOPS.items()})
    for number in range(NODES):
        for key in ("a", "b", "c", "d"):
            of = shops(empty.urls[number], key)
            table = LiveReferences.of([of]).table(of)
            assert sorted(table.places) == ["m1", "m2"]


def test_a_hash_that_is_not_there_is_told_as_on_a_single_server(empty: Cluster) -> None:
    for number in range(NODES):
        with pytest.raises(SourceError, match=r"reference 'shops' .*: there is no hash 'nothing'"):
            LiveReferences.of([shops(empty.urls[number], "nothing")])


DEFINITIONS = """
from datetime import datetime
from pydantic import BaseModel
from featurestore import Entity, FeatureService, FeatureView, Reference, Stream, mean

class Sale(BaseModel):
    user: str
    shop: str
    at: datetime

shops = Reference("shops", source="SOURCE", key="shop", columns={"risk": float})
sales = Stream("sales", contract=Sale, event_time="at", enrich=[shops.on("shop")])
view = FeatureView("risks", stream=sales, entity=Entity("user", keys=["user"]), windows=["1d"],
                   features={"risk": mean("shops.risk")})
service = FeatureService("s", features=[view])
"""


def test_a_flow_looks_its_events_up_in_a_hash_of_the_cluster_it_writes_to(
    tmp_path: Path, empty: Cluster
) -> None:
    definitions = tmp_path / "sales_features.py"
    definitions.write_text(DEFINITIONS.replace("SOURCE", f"{empty.urls[3]}/the-shops"))
    with empty.client() as client:
        client.hset("the-shops", mapping={shop: json.dumps(row) for shop, row in SHOPS.items()})
    at = "2026-01-01T12:00:00Z"
    sales = [{"user": f"u{n % 20}", "shop": f"m{1 + n % 20 % 3}", "at": at} for n in range(400)]
    (tmp_path / "sales.jsonl").write_text("".join(json.dumps(sale) + "\n" for sale in sales))
    source = [("sales", str(tmp_path / "sales.jsonl"))]
    job = Job(str(definitions), source, empty.urls[0], until_end=True)
    assert run_worker(job).counts["applied"] == 400
    with Client(str(definitions), empty.urls[5]) as client:
        users = [{"user": f"u{n}"} for n in range(20)]
        found = [v["risk_1d"] for v in client.get_many("s", users, as_of=1_767_268_800_000_000)]
    assert found == [(0.25, 0.5, None)[n % 3] for n in range(20)]
