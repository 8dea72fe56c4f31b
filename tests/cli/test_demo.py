"""``demo``: everything at once, and nothing left behind."""

import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from threading import Timer

import pytest

from featurestore.cli import demo
from featurestore.cli.processes import side_by_side
from featurestore.errors import FeatureStoreError
from tests.conftest import free_port

ROOT = Path(__file__).parents[2]
SECONDS = 60
NUMBER = re.compile(r"[0-9][0-9,.]*")


def started(*options: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "featurestore", "demo", "--port", str(free_port()), *options],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONUNBUFFERED": "1", "http_proxy": "http://127.0.0.1:9"},
    )


def rest_of(demo: subprocess.Popen[str]) -> tuple[str, str]:
    """Return what it still prints; `communicate` would lose what is in the buffer of stdout."""
    assert demo.stdout is not None
    assert demo.stderr is not None
    impatience = Timer(SECONDS, demo.kill)
    impatience.start()
    out, err = demo.stdout.read(), demo.stderr.read()
    demo.wait()
    impatience.cancel()
    demo.stdout.close()
    demo.stderr.close()
    return out, err


def descendants(pid: int) -> set[int]:
    """Name the processes that one has started, and those that these have."""
    table = subprocess.run(["ps", "-eo", "pid=,ppid="], capture_output=True, text=True, check=True)
    pairs = [tuple(map(int, line.split())) for line in table.stdout.splitlines()]
    found, size = {pid}, 0
    while size < len(found):
        size = len(found)
        found |= {child for child, parent in pairs if parent in found}
    return found - {pid}


def alive(pids: set[int]) -> set[int]:
    return {pid for pid in pids if Path(f"/proc/{pid}").exists()}


@pytest.fixture(scope="module")
def watched() -> tuple[int, str, str, set[int]]:
    """A demo of some seconds: its exit code, what it printed, the processes it had."""
    demo = started("--seconds", "5")
    assert demo.stdout is not None
    first = demo.stdout.readline()  # comes once the API answers
    children = descendants(demo.pid)
    out, err = rest_of(demo)
    return demo.returncode, first + out, err, children


def test_it_serves_features_of_real_events_and_ends_with_0(
    watched: tuple[int, str, str, set[int]],
) -> None:
    code, out, err, _ = watched
    assert (code, err) == (0, "")
    last = re.fullmatch(r"served (\d+) look-ups on (\d+) events; all is stopped", last_of(out))
    assert last is not None
    assert int(last[1]) > 0
    assert int(last[2]) > 10_000


def test_it_leaves_no_process_behind(watched: tuple[int, str, str, set[int]]) -> None:
    children = watched[3]
    assert len(children) >= 3, "a flow, an API and a producer"
    assert alive(children) == set()


def test_it_leaves_no_store_behind(watched: tuple[int, str, str, set[int]]) -> None:
    store = re.search(r"--redis redis://127.0.0.1:(\d+)/0", watched[1])
    assert store is not None
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", int(store[1])))


def test_the_readme_shows_what_it_prints(watched: tuple[int, str, str, set[int]]) -> None:
    shown = re.search(r"^```text demo\n(.*?)^```$", readme(), re.DOTALL | re.MULTILINE)
    assert shown is not None
    printed = {shape(line) for line in watched[1].splitlines()}
    for line in shown[1].splitlines():
        assert line.strip() == "…" or shape(line) in printed, line


def test_ctrl_c_stops_it_all_in_the_middle() -> None:
    demo = started()
    assert demo.stdout is not None
    assert demo.stdout.readline().startswith("Real departures")
    for line in demo.stdout:
        if re.match(r"events \d+ .* look-ups [1-9]", line):
            break
    children = descendants(demo.pid)
    demo.send_signal(signal.SIGINT)
    out, err = rest_of(demo)
    assert (demo.returncode, err) == (0, "")
    assert "stopping" in out
    assert last_of(out).endswith("all is stopped")
    deadline = time.monotonic() + 5
    while (left := alive(children)) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert left == set()


@pytest.fixture
def taken() -> Iterator[int]:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        yield int(listener.getsockname()[1])


def test_an_api_that_lost_its_port_to_another_gets_a_free_one(
    taken: int, redis_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(ROOT)
    with side_by_side(tmp_path) as processes:
        api = demo._start_api(processes, redis_url, [taken, 0])
        assert not api.endswith(f":{taken}"), "what listens there would get the events"
        processes.check()


def test_a_port_that_was_asked_for_and_is_taken_is_an_error(
    taken: int, redis_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(ROOT)
    with (
        side_by_side(tmp_path) as processes,
        pytest.raises(FeatureStoreError, match="choose another with --port"),
    ):
        demo._start_api(processes, redis_url, [taken])


def test_a_process_that_is_slow_to_start_is_not_started_twice(
    redis_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(ROOT)
    monkeypatch.setattr(demo, "_START_SECONDS", 0.1)
    with (
        side_by_side(tmp_path) as processes,
        pytest.raises(FeatureStoreError, match=r"api does not start within 0\.1 s"),
    ):
        demo._start_api(processes, redis_url, [free_port(), 0])


def test_what_to_try_names_a_command_that_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    beside = Path(sys.executable).with_name("featurestore")
    monkeypatch.setenv("PATH", str(beside.parent))
    assert demo._command() == "featurestore"
    monkeypatch.setenv("PATH", "/nowhere")
    monkeypatch.chdir(beside.parent.parent)
    assert demo._command() == f"{beside.parent.name}/featurestore"
    monkeypatch.chdir(ROOT / "docs")
    assert demo._command() == str(beside)


def shape(line: str) -> str:
    """Return a line without its numbers and units, and what is on other machines another."""
    return re.sub(r"#( ms|s|m)\b", "#", NUMBER.sub("#", line.strip())).replace("nothing yet", "#")


def last_of(out: str) -> str:
    return out.splitlines()[-1]


def readme() -> str:
    return (ROOT / "README.md").read_text()
