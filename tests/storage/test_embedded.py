"""The embedded server: started once, shared, stopped by the last, its data kept."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis

from featurestore.errors import StoreError
from featurestore.storage.embedded import store_url

USER = """
import sys
from pathlib import Path
from featurestore.storage.embedded import store_url
with store_url(None, Path(sys.argv[1])) as url:
    print(url, flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / ".featurestore"
    yield folder
    assert not listens(folder), "a test left its server running"


def user(folder: Path) -> "subprocess.Popen[str]":
    """Start a process that uses the server until its stdin ends."""
    command = [sys.executable, "-c", USER, str(folder)]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def url_of(process: "subprocess.Popen[str]") -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


def leave(process: "subprocess.Popen[str]") -> None:
    process.communicate(timeout=20)
    assert process.returncode == 0


def listens(folder: Path) -> bool:
    try:
        port = json.loads((folder / "server.json").read_text())["port"]
    except FileNotFoundError:
        return False
    with socket.socket() as s:
        return s.connect_ex(("127.0.0.1", port)) == 0


def pid_of(folder: Path) -> int:
    return int((folder / "server.pid").read_text())


def write(url: str, key: str, value: str) -> None:
    with redis.Redis.from_url(url) as client:
        client.set(key, value)


def read(url: str, key: str) -> str | None:
    with redis.Redis.from_url(url, decode_responses=True) as client:
        return client.get(key)


def test_a_given_url_starts_nothing(folder: Path) -> None:
    with store_url("redis://elsewhere:6379/3", folder) as url:
        assert url == "redis://elsewhere:6379/3"
    assert not folder.exists()


def test_what_one_command_wrote_is_there_for_the_next(folder: Path) -> None:
    with store_url(None, folder) as url:
        write(url, "greeting", "hello")
    assert not listens(folder)
    with store_url(None, folder) as url:
        assert read(url, "greeting") == "hello"


def test_who_joins_gets_the_same_server_and_the_last_to_leave_stops_it(folder: Path) -> None:
    with store_url(None, folder) as url:
        other = user(folder)
        assert url_of(other) == url
    assert listens(folder)
    write(url, "still", "here")
    leave(other)
    assert not listens(folder)


def test_commands_that_start_at_the_same_moment_get_one_server(folder: Path) -> None:
    processes = [user(folder) for _ in range(4)]
    assert len({url_of(process) for process in processes}) == 1
    for process in processes:
        leave(process)


def test_a_killed_command_leaves_the_server_to_the_next(folder: Path) -> None:
    killed = user(folder)
    url = url_of(killed)
    pid = pid_of(folder)
    killed.kill()
    killed.communicate()
    assert listens(folder)
    with store_url(None, folder) as again:
        assert (again, pid_of(folder)) == (url, pid)


def test_a_crash_of_the_server_loses_nothing_and_the_next_command_recovers(folder: Path) -> None:
    with store_url(None, folder) as url:
        write(url, "kept", "yes")
        os.kill(pid_of(folder), signal.SIGKILL)
        while listens(folder):
            time.sleep(0.01)
        with store_url(None, folder) as again:
            assert again == url, "who used the server before finds it at its old place"
            assert read(again, "kept") == "yes"


def test_a_log_cut_off_in_mid_write_is_read_up_to_there(folder: Path) -> None:
    with store_url(None, folder) as url:
        write(url, "whole", "yes")
        os.kill(pid_of(folder), signal.SIGKILL)
    (log,) = folder.glob("appendonlydir/*.incr.aof")
    with log.open("ab") as file:
        file.write(b"*3\r\n$3\r\nSET\r\n$4\r\nha")
    with store_url(None, folder) as url:
        assert read(url, "whole") == "yes"


def test_a_foreign_server_at_the_remembered_port_is_not_believed(
    folder: Path, redis_url: str
) -> None:
    port = int(redis_url.rsplit(":", 1)[1].split("/", maxsplit=1)[0])
    folder.mkdir()
    (folder / "server.json").write_text(json.dumps({"port": port, "token": "0123456789abcdef"}))
    (folder / "server.pid").write_text(str(os.getpid()))
    with store_url(None, folder) as url:
        assert url != redis_url
        write(url, "mine", "yes")
        assert read(redis_url, "mine") is None
    assert read(redis_url, "mine") is None, "the foreign server was stopped"


@pytest.mark.parametrize("text", ["", "{", "[]", '{"port": 1}', '{"port": 1, "token": "t"}'])
def test_nonsense_in_the_place_file_is_overcome(folder: Path, text: str) -> None:
    folder.mkdir()
    (folder / "server.json").write_text(text)
    with store_url(None, folder) as url:
        write(url, "a", "b")


def test_a_server_that_does_not_answer_is_named_and_never_doubled(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("featurestore.storage.embedded._ANSWER_SECONDS", 0.2)
    holder = user(folder)
    url_of(holder)
    os.kill(pid_of(folder), signal.SIGSTOP)
    try:
        with (
            pytest.raises(StoreError, match=r"does not answer.*server\.log"),
            store_url(None, folder),
        ):
            pass
    finally:
        os.kill(pid_of(folder), signal.SIGCONT)
    leave(holder)


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with (
        pytest.raises(StoreError, match=r"cannot keep the data .*/file/\.featurestore: .*--redis"),
        store_url(None, tmp_path / "file" / ".featurestore"),
    ):
        pass


def test_a_server_that_cannot_start_shows_its_log(folder: Path) -> None:
    (folder / "appendonlydir").mkdir(parents=True)
    (folder / "appendonlydir" / "appendonly.aof.manifest").write_text("nonsense\n")
    with (
        pytest.raises(StoreError, match=r"(?s)does not start.*manifest.*--redis URL"),
        store_url(None, folder),
    ):
        pass


def test_a_folder_removed_under_it_does_not_leave_the_server_behind(folder: Path) -> None:
    with store_url(None, folder) as url:
        for path in sorted(folder.rglob("*"), reverse=True):
            path.rmdir() if path.is_dir() else path.unlink()
        folder.rmdir()
    with redis.Redis.from_url(url) as client, pytest.raises(redis.ConnectionError):
        client.ping()


def test_the_server_does_not_share_the_terminal_of_the_command(folder: Path) -> None:
    with store_url(None, folder):
        assert os.getsid(pid_of(folder)) != os.getsid(0)


def test_only_this_machine_can_reach_it(folder: Path) -> None:
    with store_url(None, folder) as url, redis.Redis.from_url(url, decode_responses=True) as client:
        assert client.config_get("bind") == {"bind": "127.0.0.1"}


def test_a_process_that_was_forked_leaves_the_server_to_the_one_it_comes_from(
    folder: Path,
) -> None:
    forked = USER.replace("sys.stdin.read()", "import os; os.fork() or sys.exit()\n    os.wait()")
    code = forked + "\n    import redis; print(redis.Redis.from_url(url).ping())"
    done = subprocess.run(
        [sys.executable, "-c", code, str(folder)], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout.split()[-1], done.stderr) == (0, "True", "")
