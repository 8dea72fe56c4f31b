"""What a store must be able to do before a flow trusts it."""

from pathlib import Path

import pytest
import redis

from featurestore.errors import StoreBusy, StoreRefused, StoreUnreachable
from featurestore.storage.commit import Durability
from featurestore.storage.faults import mapped, refusal
from featurestore.storage.survival import survival
from featurestore.storage.wire import Wire
from tests.conftest import Server


def asked(folder: Path, durability: Durability, *options: str) -> bytes | None:
    server = Server(folder, *options)
    try:
        return survival(Wire(server.url), durability).command
    finally:
        server.kill()


def test_fsync_waits_for_the_log(tmp_path: Path) -> None:
    command = asked(tmp_path, Durability.FSYNC, "--appendonly", "yes")
    assert command is not None
    assert b"WAITAOF" in command


def test_fsync_without_a_log_is_refused(tmp_path: Path) -> None:
    with pytest.raises(StoreRefused, match="set appendonly yes there"):
        asked(tmp_path, Durability.FSYNC)


def test_an_old_server_must_write_its_log_at_every_reply(tmp_path: Path) -> None:
    old = ("--rename-command", "WAITAOF", "", "--appendonly", "yes")
    assert asked(tmp_path, Durability.FSYNC, *old, "--appendfsync", "always") is None
    with pytest.raises(StoreRefused, match="appendfsync always"):
        asked(tmp_path, Durability.FSYNC, *old, "--appendfsync", "everysec")


def test_a_store_that_drops_rows_when_it_is_full_is_refused(tmp_path: Path) -> None:
    cache = ("--maxmemory", "100mb", "--maxmemory-policy", "allkeys-lru")
    with pytest.raises(StoreRefused, match="set maxmemory-policy to noeviction"):
        asked(tmp_path, Durability.NONE, *cache)


def test_a_missing_password_is_named_with_its_cure(tmp_path: Path) -> None:
    server = Server(tmp_path)
    try:
        with redis.Redis.from_url(server.url) as client:
            client.config_set("requirepass", "secret")
        with pytest.raises(StoreRefused, match="put the right password into the URL"):
            Wire(server.url).ask(b"PING")
        with pytest.raises(StoreRefused, match="put the right password into the URL") as wrong:
            Wire(server.url.replace("//", "//:guess@"))
        assert not isinstance(wrong.value, StoreBusy)
    finally:
        server.kill()


def test_a_password_is_never_shown() -> None:
    with pytest.raises(StoreUnreachable) as unreachable:
        Wire("redis://me:secret@127.0.0.1:1/0")
    assert "secret" not in str(unreachable.value)
    assert "me:***@127.0.0.1:1" in str(unreachable.value)


@pytest.mark.parametrize("code", ["LOADING", "READONLY", "OOM", "MISCONF", "CLUSTERDOWN"])
def test_what_may_pass_is_told_from_what_lasts(code: str) -> None:
    assert isinstance(refusal(f"{code} so it is"), StoreBusy)
    assert not isinstance(refusal("NOPERM so it is"), StoreBusy)


def test_every_error_of_the_client_is_one_of_ours() -> None:
    kinds = [k for k in vars(redis.exceptions).values() if isinstance(k, type)]
    for kind in kinds:
        if issubclass(kind, redis.RedisError) and not issubclass(kind, redis.exceptions.AskError):
            with pytest.raises((StoreRefused, StoreUnreachable)), mapped("redis://here"):
                raise kind(kind.__name__)
