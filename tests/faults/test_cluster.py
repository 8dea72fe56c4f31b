"""A Redis Cluster as the store: all of it works there, and a primary that dies loses nothing."""

import asyncio
import json
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import orjson
import pytest
import redis
from click.testing import CliRunner

from featurestore.cli import cli
from featurestore.client import AsyncClient, Client
from featurestore.definitions.catalog import load
from featurestore.errors import StoreError, StoreUnreachable
from featurestore.storage.commit import Durability
from featurestore.storage.events import Events
from featurestore.storage.keys import progress_key, source_field
from flows.sources.redis_stream import offset_of
from flows.trimming import Trimming
from tests.cluster import PRIMARIES, Cluster, wait
from tests.faults.processes import Flow
from tests.faults.taps import Taps, differences, expected, found, write_definitions
from tests.faults.test_outages import Stream
from tests.flows.test_exactly_once import NOON, by_shop, by_user, catalog, counts, tap
from tests.hand_flow import HandFlow

SPREAD = catalog(replace(by_user, shards=8), replace(by_shop, shards=8))


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


def said(*words: str) -> str:
    done = CliRunner().invoke(cli, words, catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.stdout


def test_everything_works_on_a_cluster_by_the_url_of_any_node(
    tmp_path: Path, empty: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    taps, definitions = Taps(1, duplicates=0.05), write_definitions(tmp_path, ', dedupe="24h"')
    Path("taps.jsonl").write_bytes(taps.lines(3000))
    of, node = str(definitions), ("--redis", empty.urls[4])
    said("run", of, "--source", "taps=taps.jsonl", "--until-end", *node)
    assert differences(definitions, empty.urls[0], taps.sent) == (0, 0)
    answer = json.loads(
        said("get", of, "users", "user=u1", "--as-of", "2024-06-01T00:00:00Z", *node)
    )
    assert answer["taps_900d"] == expected(taps.sent, "user")["u1"][0]
    broken = [event for event in taps.sent if event["cents"] == "broken"]
    assert said("dead-letters", "list", of, *node).count("cents") >= 1
    (tmp_path / "mending.py").write_text("def mend(event):\n    return event | {'cents': 5}\n")
    replayed = said("dead-letters", "replay", of, "--mend", "mending:mend", *node)
    assert f"applied {len({event['id'] for event in broken})}" in replayed
    for event in broken:
        event["cents"] = 5
    assert differences(definitions, empty.urls[0], taps.sent) == (0, 0)
    said("forget", of, "user", "user=u1", *node)
    assert found(definitions, empty.urls[2], "user", ["u1"]) == {"u1": (0, 0)}
    assert "entity forgotten" in said("audit", *node)


def test_events_sent_over_http_reach_the_flow_on_a_cluster(tmp_path: Path, empty: Cluster) -> None:
    taps, definitions = Taps(2), write_definitions(tmp_path)

    async def send() -> None:
        door = Events(empty.urls[1], 5)
        await door.start()
        for _ in range(20):
            await door.append("taps", [orjson.dumps(event) for event in taps.events(50)])
        await door.stop()

    asyncio.run(send())
    flow = Flow(tmp_path, definitions, empty.urls[3], "--events-kept", "0")
    with empty.client() as client:
        wait(lambda: client.hget("{fs:taps}!counts", "read") == b"1000")
        for _ in range(20):  # it trims once a second, with what it commits
            if client.xlen("{fs:taps}!events") < 200:
                break
            client.xadd("{fs:taps}!events", {"event": orjson.dumps(taps.events(1)[0])})
            time.sleep(0.2)
        assert client.xlen("{fs:taps}!events") < 200
        wait(lambda: int(client.hget("{fs:taps}!counts", "read")) == len(taps.sent))
    flow.process.terminate()
    code, _, err = flow.wait()
    assert code == 0, err
    assert differences(definitions, empty.urls[0], taps.sent) == (0, 0)


def test_a_primary_is_killed_and_nothing_is_lost_or_doubled(tmp_path: Path, empty: Cluster) -> None:
    stream = Stream(tmp_path, 3, 8_000, options=', dedupe="24h"')
    catalog = load(str(stream.definitions))
    tag = "{fs:by_user@" + catalog.view("by_user").version + ":0}"
    dead, answered = empty.owner(tag), list[float]()

    def kill() -> None:
        with empty.client() as client:
            wait(lambda: bool(client.hlen(tag + "!progress")))
        empty.kill(dead)
        wait(lambda: empty.owner(tag) != dead)
        wait(lambda: len(answered) > 10)
        empty.start(dead)  # as a replica; until there is one, no commit is confirmed

    async def look() -> None:
        """Ask all the time; note when an answer came, and begin anew with none when it stops."""
        async with AsyncClient(catalog, empty.urls[dead]) as client:
            users = [{"user": f"u{n}"} for n in range(40)]  # some of every shard
            while not done.is_set():
                try:
                    await client.get_many("users", users)
                except StoreError:
                    answered.clear()
                    failures.append(time.monotonic())
                else:
                    answered.append(time.monotonic())
                await asyncio.sleep(0.01)

    done, failures = threading.Event(), list[float]()
    threads = [threading.Thread(target=kill), threading.Thread(target=asyncio.run, args=(look(),))]
    with Client(catalog, empty.urls[dead]) as client:
        client.get("users", {"user": "u1"})
        for thread in threads:
            thread.start()
        try:
            stream.run(empty.urls[dead], durability=Durability.REPLICATED)
        finally:
            done.set()
            for thread in threads:
                thread.join()
        client.get("users", {"user": "u1"})  # its first node is gone; it knows the others
    assert empty.owner(tag) == (dead + 3) % 6
    away = answered[0] - failures[0]
    lost, doubled = differences(stream.definitions, empty.urls[dead - 1], stream.taps.sent)
    print(
        f"\na primary of a cluster killed: events {len(stream.taps.sent)}, lost {lost}, "
        f"doubled {doubled}, look-ups answered again after {away:.1f} s"
    )
    assert (lost, doubled) == (0, 0)


def test_slots_that_move_while_the_flow_runs_are_followed(tmp_path: Path, empty: Cluster) -> None:
    stream = Stream(tmp_path, 4, 6_000)
    tag = "{fs:by_user@" + load(str(stream.definitions)).view("by_user").version + ":1}"

    def move() -> None:
        with empty.client() as client:
            wait(lambda: bool(client.hlen(tag + "!progress")))
            moved[:] = start, empty.move(client.keyslot(tag), start)

    start, moved = empty.owner(tag), list[Any]()
    thread = threading.Thread(target=move)
    thread.start()
    stream.run(empty.urls[2])
    thread.join()
    assert moved[0] != moved[1] == empty.owner(tag)
    assert stream.wrong(empty.urls[0]) == (0, 0)


@pytest.mark.parametrize("node", range(PRIMARIES))
def test_commits_that_a_promoted_replica_lacks_come_from_the_source_again(
    empty: Cluster, node: int
) -> None:
    events = {n: tap(NOON - n, 1, f"u{n % 30}", f"s{n % 7}") for n in range(200)}
    events[120]["cents"] = "broken"
    url = empty.urls[0]
    first = HandFlow(url, SPREAD, now_us=NOON)
    first.take_over({"taps": ["p0"]})
    first.feed("taps", "p0", {n: events[n] for n in range(100)})
    first.commit()
    with redis.Redis.from_url(empty.primary(node)) as server:
        before = {key: server.dump(key) for key in server.scan_iter()}
        first.feed("taps", "p0", {n: events[n] for n in range(100, 200)})
        first.commit()
        first.writer.close()
        for key in server.scan_iter():
            server.delete(key)
        for key, dumped in before.items():
            server.restore(key, 0, dumped)
    second = HandFlow(url, SPREAD, now_us=NOON)
    (after, _) = second.take_over({"taps": ["p0"]})["taps", "p0"]
    assert after == 99
    second.feed("taps", "p0", {n: events[n] for n in range(100, 200)})
    second.commit()
    second.writer.close()
    for who in range(30):
        sent = sum(n % 30 == who and n != 120 for n in range(200))
        assert counts(url, SPREAD, user=f"u{who}")["taps_10d"] == sent
    with empty.client() as client:
        counted = client.hgetall("{fs:taps}!counts")
    assert [int(counted[name]) for name in (b"read", b"applied", b"invalid")] == [200, 199, 1]


def test_a_flow_on_a_cluster_goes_on_where_it_stopped_though_few_units_are_touched(
    empty: Cluster,
) -> None:
    for n in range(3):
        flow = HandFlow(empty.urls[0], SPREAD, now_us=NOON)
        (after, _) = flow.take_over({"taps": ["p0"]})["taps", "p0"]
        assert after == (n - 1 if n else None)
        flow.feed("taps", "p0", {n: tap(NOON)})
        flow.commit()
        flow.writer.close()
    assert counts(empty.urls[1], SPREAD, user="u")["taps_10d"] == 3


def test_events_that_a_promoted_replica_lacks_are_not_trimmed_before_it_has_them(
    empty: Cluster,
) -> None:
    key = "{fs:taps}!events"
    with empty.client() as client:
        sent = [tap(NOON - n, 1, f"u{n % 30}") for n in range(1000)]
        names = [client.xadd(key, {"event": orjson.dumps(event)}) for event in sent]
        events = dict(zip(map(offset_of, names), sent, strict=True))
        first = HandFlow(empty.urls[0], SPREAD, now_us=NOON)
        first.take_over({"taps": [key]})
        first.feed("taps", key, events)
        first.commit()
        first.writer.close()
        for tag in first.writer._tags("taps")[1:2]:
            client.hdel(progress_key(tag), source_field("taps", key))
        second = HandFlow(empty.urls[0], SPREAD, now_us=NOON, trimming=Trimming(("taps",), 0))
        assert second.take_over({"taps": [key]})["taps", key][0] is None
        second.feed("taps", key, dict(list(events.items())[:300]))
        second.commit()
        second.writer.close()
        assert client.xlen(key) >= 700


@pytest.mark.parametrize("node", range(PRIMARIES))
def test_an_idle_flow_notices_that_a_node_is_gone_whichever_it_is(
    empty: Cluster, node: int
) -> None:
    flow = HandFlow(empty.urls[0], SPREAD, now_us=NOON)
    flow.take_over({"taps": ["p0"]})
    with redis.Redis.from_url(empty.primary(node)) as server:
        server.client_kill_filter(_type="normal", skipme=True)
    with pytest.raises(StoreUnreachable):
        flow.writer.idle()
    flow.writer.close()
