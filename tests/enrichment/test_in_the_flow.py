"""Payments and profiles in real flows on a real store: together, apart, live, killed, replayed."""

import json
import random
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from subprocess import PIPE
from typing import Any

import pyarrow as pa
import pytest
import redis

from api.schemas import Views
from featurestore.client import Client
from featurestore.definitions.catalog import Catalog, load
from featurestore.definitions.entity import Entity
from featurestore.errors import StoreUnreachable
from featurestore.instants import to_us
from featurestore.storage.dead_letters import DeadLetters
from featurestore.storage.erasure import Erasure
from featurestore.storage.rows import Rows
from featurestore.testing import Store
from flows.look_ups import LookUps
from flows.main import Job, run_worker
from flows.processes import Processes
from flows.replay import Replay
from tests.enrichment.profiles import DEFINITIONS, Oracle, at, payment, update
from tests.hand_flow import HandFlow

USERS = [f"u{n}" for n in range(40)]
COUNTRIES = ["IT", "FR", "DE", None]
END = to_us(at(3000))


def made(seed: int) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Make profiles and payments of two days, each file a little out of order."""
    chance = random.Random(seed)
    updates = [
        update(
            chance.choice(USERS),
            minutes + chance.random() * 30,
            chance.choice(["free", "gold", "banned"]),
            country=chance.choice(COUNTRIES),
            limit=float(chance.randrange(200)),
        )
        for minutes in range(0, 2800, 4)
    ]
    asked = [
        payment(n, chance.choice([*USERS, "stranger"]), n * 2800 / 1500 + chance.random() * 20)
        for n in range(1500)
    ]
    return updates, asked


def expected(updates: Sequence[dict[str, Any]], asked: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Count payments and tiers by country, one payment after the other."""
    oracle, counts = Oracle(updates), dict[str, Any]()
    for event in asked:
        country = oracle.found(event["payer"], event["at"], "country")
        tier = oracle.found(event["payer"], event["at"], "tier")
        if country is not None:
            of = counts.setdefault(country, {"n": 0, "tiers": {}})
            of["n"] += 1
            of["tiers"][tier] = of["tiers"].get(tier, 0) + 1
    return counts


@pytest.fixture
def definitions(tmp_path: Path) -> str:
    path = tmp_path / "looked_up_features.py"
    path.write_text(DEFINITIONS)
    return str(path)


def written(folder: Path, name: str, events: Sequence[dict[str, Any]], parts: int = 1) -> str:
    """Write events to files, and return the pattern of their names."""
    size = -(-len(events) // parts)
    for part in range(parts):
        lines = [json.dumps(event) + "\n" for event in events[part * size : (part + 1) * size]]
        (folder / f"{name}{part}.jsonl").write_text("".join(lines))
    return str(folder / f"{name}*.jsonl")


def by_country(definitions: str | Catalog, url: str) -> dict[str, Any]:
    found = {}
    with Client(definitions, url) as client:
        for country in ("IT", "FR", "DE"):
            vector = client.get("countries", {"profile.country": country}, as_of=END)
            found[country] = {"n": vector["n_30d"], "tiers": vector["tiers_30d"]}
    return found


@pytest.mark.parametrize("processes", [1, 2])
def test_files_in_one_run_are_read_profiles_first_in_every_process(
    processes: int, definitions: str, tmp_path: Path, redis_url: str
) -> None:
    updates, asked = made(1)
    sources = [
        ("payments", written(tmp_path, "payments", asked, 3)),
        ("profiles", written(tmp_path, "profiles", updates, 3)),
    ]
    job = Job(definitions, sources, redis_url, until_end=True)
    summary = Processes(job, processes).run() if processes > 1 else run_worker(job)
    assert summary.lines()[:3] == ["read 2200", "applied 2200", "late 0"]
    assert by_country(definitions, redis_url) == expected(updates, asked)


def test_profiles_in_a_run_before_and_what_the_store_in_memory_says(
    definitions: str, tmp_path: Path, redis_url: str
) -> None:
    updates, asked = made(2)
    profiles, payments = (
        written(tmp_path, "profiles", updates),
        written(tmp_path, "payments", asked),
    )
    run_worker(Job(definitions, [("profiles", profiles)], redis_url, until_end=True))
    run_worker(Job(definitions, [("payments", payments)], redis_url, until_end=True))
    memory = Store(definitions)
    memory.feed("profiles", updates)
    memory.feed("payments", asked)
    found = by_country(definitions, redis_url)
    assert found == expected(updates, asked)
    for country in ("IT", "FR", "DE"):
        same = memory.get("countries", {"profile.country": country}, as_of=END)
        assert found[country] == {"n": same["n_30d"], "tiers": same["tiers_30d"]}


def test_without_profiles_nothing_is_found_and_nothing_fails(
    definitions: str, tmp_path: Path, redis_url: str
) -> None:
    payments = written(tmp_path, "payments", made(3)[1])
    run = run_worker(Job(definitions, [("payments", payments)], redis_url, until_end=True))
    assert run.counts["applied"] == 1500
    assert {of["n"] for of in by_country(definitions, redis_url).values()} == {0}


def wait_for(truth: Callable[[], bool]) -> None:
    until = time.monotonic() + 20
    while not truth():
        assert time.monotonic() < until, "it never came true"
        time.sleep(0.01)


def test_live_streams_are_read_side_by_side_and_find_what_was_committed(
    definitions: str, redis_url: str
) -> None:
    command = [sys.executable, "-m", "featurestore", "run", definitions, "--redis", redis_url]
    flow = subprocess.Popen([*command, "--state", str(Path(definitions).parent)], stderr=PIPE)
    try:
        with redis.Redis.from_url(redis_url) as client, Client(definitions, redis_url) as features:
            for n in range(5):
                fields = {"event": json.dumps(update(f"u{n}", 0, "gold", country="IT"))}
                client.xadd("{fs:profiles}!events", fields)
            wait_for(lambda: client.hget("{fs:profiles}!counts", "applied") == b"5")
            for n in range(10):
                fields = {"event": json.dumps(payment(n, f"u{n}", 1))}
                client.xadd("{fs:payments}!events", fields)
            wait_for(lambda: client.hget("{fs:payments}!counts", "applied") == b"10")
            italy = features.get("countries", {"profile.country": "IT"}, as_of=END)
            assert italy["tiers_30d"] == {"gold": 5}
    finally:
        flow.terminate()
        _, said = flow.communicate(timeout=20)
    assert (flow.returncode, said.decode().count("reading payments, profiles;")) == (0, 1)


def test_a_block_that_is_read_again_after_a_crash_finds_the_same_though_profiles_went_on(
    definitions: str, redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    catalog = load(definitions)
    updates, asked = made(4)
    middle = len(updates) // 2
    seen, later = sorted(updates, key=lambda event: event["at"]), []
    seen, later = seen[:middle], seen[middle:]
    asked = [event for event in asked if event["at"] < seen[-1]["at"]]
    sources = {"profiles": ["a"], "payments": ["a"]}
    for units in (0, 3, 1000):  # none, some, and all of the units of a block before it died
        with redis.Redis.from_url(redis_url) as client:
            client.flushall()
        flow = HandFlow(redis_url, catalog, now_us=END)
        flow.take_over(sources)
        flow.feed("profiles", "a", dict(enumerate(seen)))
        flow.commit()
        flow.feed("payments", "a", dict(enumerate(asked)))
        flow.die_after_units(units, monkeypatch)
        again = HandFlow(redis_url, catalog, now_us=END)
        again.take_over(sources)
        again.feed("profiles", "a", dict(enumerate([*seen, *later])))
        again.commit()
        again.feed("payments", "a", dict(enumerate(asked)))
        again.commit()
        again.writer.close()
        assert by_country(catalog, redis_url) == expected(seen, asked), units


def test_a_dead_letter_that_is_replayed_finds_what_was_there_at_its_time(
    definitions: str, redis_url: str
) -> None:
    catalog = load(definitions)
    flow = HandFlow(redis_url, catalog, now_us=END)
    flow.take_over({"profiles": ["a"], "payments": ["a"]})
    first, second = update("u", 0, "a", country="IT"), update("u", 10, "b", country="FR")
    flow.feed("profiles", "a", {0: first, 1: second})
    flow.commit()
    flow.feed("payments", "a", {0: payment(0, "u", 5, amount="much")})
    flow.commit()
    flow.writer.close()
    (letter,) = DeadLetters(redis_url).newest("payments", 10)
    assert letter.reason == "invalid"
    replay = Replay(catalog, catalog.stream("payments"), redis_url, lambda: END)
    done = replay.run(lambda _: True, lambda old: old.raw.replace(b'"much"', b"1.5"))
    assert done.counts["applied"] == 1
    assert by_country(catalog, redis_url)["IT"] == {"n": 1, "tiers": {"a": 1}}


def test_forgetting_who_pays_forgets_the_profile(definitions: str, redis_url: str) -> None:
    catalog = load(definitions)
    flow = HandFlow(redis_url, catalog, now_us=END)
    flow.take_over({"profiles": ["a"]})
    flow.feed("profiles", "a", {0: update("u", 0, "a"), 1: update("v", 0, "a")})
    flow.commit()
    flow.writer.close()
    erased = Erasure(catalog, redis_url).erase(Entity("user", keys=["user"]), {"user": "u"})
    assert erased.rows == 1
    with redis.Redis.from_url(redis_url) as client:
        assert [key.partition(b"}:")[2] for key in client.scan_iter("{fs:latest:*}:*")] == [b"v"]


def test_a_store_that_is_away_is_said_and_not_taken_for_one_that_knows_nobody(
    definitions: str,
) -> None:
    catalog = load(definitions)
    stream, rows = catalog.stream("payments"), Rows("redis://127.0.0.1:1/0")
    table = LookUps.of(stream, rows).table(stream.enrich[0].table)
    moments = pa.array([END], pa.timestamp("us", tz="UTC"))
    with pytest.raises(StoreUnreachable):
        table.look_up(pa.array(["u"]), moments)


def test_it_has_no_place_among_the_views_but_can_be_looked_at(definitions: str) -> None:
    catalog = load(definitions)
    assert list(catalog.views) == ["by_country", "one"]
    assert catalog.view("latest:profile").entity.keys == ("user",)
    assert [view.name for view in Views.of(catalog).views] == ["by_country", "one"]
