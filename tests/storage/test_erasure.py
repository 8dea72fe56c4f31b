"""Forgetting an entity, and replaying letters, by the command line."""

import json
import sys
from hashlib import sha256
from pathlib import Path

import pytest
import redis
from click.testing import CliRunner, Result

from featurestore.cli import cli
from featurestore.errors import FeatureStoreError, RequestError
from tests.flows.test_exactly_once import NOON, again, tap

DEFINITIONS = """
from tests.flows.test_exactly_once import taps, by_user, by_shop, BOTH
services = list(BOTH.services.values())
"""


@pytest.fixture
def definitions(tmp_path: Path) -> str:
    path = tmp_path / "forgetting.py"
    path.write_text(DEFINITIONS)
    return str(path)


def run(url: str, *arguments: str) -> Result:
    return CliRunner().invoke(cli, [*arguments, "--redis", url], catch_exceptions=False)


def filled(url: str) -> None:
    flow = again(url)
    broken = [{**tap(NOON, who=who), "cents": "many"} for who in ("u1", "u2")]
    flow.feed(
        "taps", "p0", {0: tap(NOON, who="u1"), 1: tap(NOON, who="u2"), 2: broken[0], 3: broken[1]}
    )
    flow.commit()
    flow.writer.close()
    with redis.Redis.from_url(url) as store:
        store.set("{fs:by_user@00000000:3}:u1", "a row of an old version")
        store.set("{fs:other@00000000:3}:u1", "a view of another entity")
        store.xadd("{fs:taps}!dead", {**letter(), "raw": '{"user": "u1", broken'})
        store.xadd("{fs:taps}!dead", {**letter(), "raw": '{"user": "u3", broken'})


def letter() -> dict[str, str]:
    return {"partition": "p0", "offset": "9", "reason": "malformed", "detail": "", "at": "0"}


def test_an_entity_is_forgotten_everywhere_and_the_others_are_not(
    redis_url: str, definitions: str
) -> None:
    filled(redis_url)
    done = run(redis_url, "forget", definitions, "user", "user=u1")
    assert done.output == "forgotten: rows 2, dead letters 2\n"
    with redis.Redis.from_url(redis_url) as store:
        assert store.keys("{fs:by_user@*:u1") == []
        assert len(store.keys("{fs:by_user@*:u2")) == 1
        assert len(store.keys("{fs:other@*:u1")) == 1
        assert store.xlen("{fs:taps}!dead") == 2


def test_it_leaves_a_line_that_does_not_name_it(redis_url: str, definitions: str) -> None:
    filled(redis_url)
    run(redis_url, "forget", definitions, "user", "user=u1")
    (line,) = run(redis_url, "audit").output.splitlines()
    said = json.loads(line)
    assert said["action"] == "entity forgotten"
    assert said["key_sha256"] == sha256(b"u1").hexdigest()
    assert "u1" not in said.values()


def test_forgetting_says_what_it_needs(redis_url: str, definitions: str) -> None:
    with pytest.raises(RequestError, match="did you mean 'user'"):
        run(redis_url, "forget", definitions, "users", "user=u1")
    with pytest.raises(RequestError, match="key 'user' is missing, as in user=VALUE"):
        run(redis_url, "forget", definitions, "user", "usr=u1")


def test_a_function_that_cannot_mend_is_named_in_one_message(
    redis_url: str, definitions: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    filled(redis_url)
    (tmp_path / "unable.py").write_text("def mend(event):\n    return event.nothing\n")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(FeatureStoreError, match=r"unable:mend failed on letter .*AttributeError"):
        run(redis_url, "dead-letters", "replay", definitions, "--mend", "unable:mend")


def test_letters_are_listed_mended_replayed_and_purged(
    redis_url: str, definitions: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    filled(redis_url)
    (tmp_path / "mending.py").write_text(
        "def mend(event):\n    return {**event, 'cents': 5} if isinstance(event, dict) else None\n"
    )
    monkeypatch.chdir(tmp_path)
    monkeypatch.delitem(sys.modules, "mending", raising=False)  # another test has one, too
    listed = run(redis_url, "dead-letters", "list", definitions, "--json").output.splitlines()
    assert {json.loads(line)["step"] for line in listed} == {"", "decode"}
    replayed = run(redis_url, "dead-letters", "replay", definitions, "--mend", "mending:mend")
    assert replayed.output == "applied 2\n"
    again_ = run(redis_url, "dead-letters", "replay", definitions, "--reason", "invalid")
    assert again_.output == "no dead letters to replay\n"
    assert run(redis_url, "dead-letters", "purge", definitions).output == "purged 2\n"
    listed = run(redis_url, "dead-letters", "list", definitions).output
    assert "purged 2, replayed 2" in listed
