"""The command as a whole: help, exit codes, messages."""

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from featurestore.cli import COMMANDS, cli
from tests.cli.conftest import Command

START = [sys.executable, "-m", "featurestore"]


def test_help_names_every_command_and_shows_an_example(featurestore: Command) -> None:
    done = featurestore("--help")
    assert done.code == 0
    for name in COMMANDS:
        assert f"\n  {name} " in done.out
    assert "featurestore run examples/flights/features.py --until-end" in done.out


def test_help_loads_no_command() -> None:
    code = (
        "import sys, featurestore.cli as c\n"
        "try: c.main()\n"
        "except SystemExit: print(*{name.split('.')[0] for name in sys.modules})"
    )
    command = [sys.executable, "-c", code, "--help"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    heavy = {"numpy", "pyarrow", "pydantic", "redis", "bytewax", "fastapi", "rich", "orjson"}
    assert not heavy & set(done.stdout.splitlines()[-1].split())


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_explains_itself_with_an_example(featurestore: Command, name: str) -> None:
    done = featurestore(name, "--help")
    assert done.code == 0
    words = [name] if name != "dead-letters" else [name, "list"]
    assert "Example:" in featurestore(*words, "--help").out


def test_the_version_is_that_of_the_project(featurestore: Command) -> None:
    assert featurestore("--version").out == "featurestore 0.1.0\n"


def test_a_misspelt_command_hints_at_the_near_one(featurestore: Command) -> None:
    done = featurestore("chekc")
    assert done.code == 2
    assert "did you mean 'check'?" in done.err


@pytest.mark.parametrize(
    "words",
    [
        [],
        ["--frob"],
        ["check"],
        ["get", "features.py", "s", "--redis", "localhost:6379"],
        ["dead-letters", "list", "features.py", "--reason", "boring"],
        ["serve", "features.py", "--port", "70000"],
    ],
)
def test_wrong_usage_exits_with_2(featurestore: Command, words: list[str]) -> None:
    done = featurestore(*words)
    assert (done.code, done.out) == (2, "")
    assert "Usage: featurestore" in done.err


def test_all_problems_of_definitions_come_in_one_message(
    featurestore: Command, features: str
) -> None:
    path = Path(features)
    text = path.read_text()
    path.write_text(text.replace('"1h"', '"soon"').replace('column("amount")', 'column("amont")'))
    done = featurestore("check", features)
    assert (done.code, done.out) == (1, "")
    assert "window 'soon' is no duration" in done.err
    assert "did you mean 'amount'?" in done.err
    assert "view 'spending' has no feature 'spent_1h'" in done.err
    assert "Traceback" not in done.err


@pytest.mark.parametrize("text", ["import nowhere", "1 / 0", "def", "x = 1"])
def test_definitions_that_cannot_be_loaded_are_a_message(
    featurestore: Command, features: str, text: str
) -> None:
    Path(features).write_text(text)
    done = featurestore("check", features)
    assert (done.code, done.out) == (1, "")
    assert done.err.startswith("featurestore: ")
    assert features in done.err
    assert "Traceback" not in done.err


@pytest.mark.parametrize("words", [["dead-letters", "list"], ["run"]])
def test_a_store_out_of_reach_is_named_without_its_password(
    featurestore: Command, features: str, words: list[str]
) -> None:
    done = featurestore(*words, features, "--redis", "redis://app:s3cret@127.0.0.1:1/0")
    assert (done.code, done.out) == (1, "")
    start = "featurestore: cannot reach the store at redis://app:***@127.0.0.1:1/0: "
    *retrying, last = done.err.splitlines()
    assert last.startswith(start)
    assert len(retrying) == (words == ["run"])  # a service says that it tries again


def test_the_store_can_be_named_in_the_environment(
    featurestore: Command, features: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FEATURESTORE_REDIS_URL", "redis://127.0.0.1:1")
    assert "redis://127.0.0.1:1" in featurestore("dead-letters", "list", features).err


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_ends_a_command_quietly(features: str, number: signal.Signals, code: int) -> None:
    with socket.create_server(("127.0.0.1", 0)) as deaf:  # takes connections, never answers
        url = f"redis://127.0.0.1:{deaf.getsockname()[1]}"
        command = [*START, "dead-letters", "list", features, "--redis", url]
        process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
        deaf.settimeout(30)
        connection, _ = deaf.accept()
        with connection:
            time.sleep(0.1)
            process.send_signal(number)
            _, err = process.communicate(timeout=30)
    assert (process.returncode, err.strip()) == (code, "")


@pytest.mark.parametrize("words", [["--help"], ["check"]])
def test_a_reader_that_has_gone_is_no_noise(features: str, words: list[str]) -> None:
    read, write = os.pipe()
    os.close(read)
    command = [*START, *words, *([features] if words == ["check"] else [])]
    done = subprocess.run(command, stdout=write, stderr=subprocess.PIPE, text=True, check=False)
    os.close(write)
    assert done.stderr == ""
    assert done.returncode in {1, 141}


def test_commands_are_named_like_their_modules() -> None:
    context = cli.make_context("featurestore", ["check"], resilient_parsing=True)
    for name in COMMANDS:
        command = cli.get_command(context, name)
        assert command is not None
        assert command.name == name


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
def test_streams_that_were_closed_harm_neither_it_nor_the_server_it_starts(
    tmp_path: Path, closed: str
) -> None:
    done = subprocess.run(
        ["sh", "-c", f'exec "$@" {closed}', "sh", *START, "audit"],
        cwd=tmp_path,
        env={name: value for name, value in os.environ.items() if name != "FEATURESTORE_REDIS_URL"},
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_a_full_disk_behind_its_output_is_a_message() -> None:
    full = Path("/dev/full")
    if not full.exists():
        pytest.skip("this system has no disk that is always full")
    with full.open("w") as stdout:
        done = subprocess.run(
            [*START, "--help"], stdout=stdout, stderr=subprocess.PIPE, text=True, check=False
        )
    assert (done.returncode, done.stderr) == (
        1,
        "featurestore: cannot write: No space left on device\n",
    )


def test_processes_take_definitions_for_no_module_of_python(features: str) -> None:
    named = Path(features).with_name("selectors.py")
    named.write_text(Path(features).read_text())
    Path(features).with_name("none.jsonl").touch()
    command = Path(sys.executable).with_name("featurestore")
    source = ["--source", "payments=none.jsonl", "--until-end"]
    done = subprocess.run(
        [command, "run", named.name, *source, "--processes", "2"],
        cwd=named.parent,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_folders_named_like_our_modules_are_left_alone(features: str) -> None:
    for name in ("api", "flows"):
        (Path(features).parent / name).mkdir()
        (Path(features).parent / name / "__init__.py").write_text("raise ImportError('not ours')")
    Path(features).with_name("none.jsonl").touch()
    source = ["--source", "payments=none.jsonl", "--until-end"]
    done = subprocess.run(
        [*START, "run", features, *source, "--processes", "2"],
        cwd=Path(features).parent,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("read 0\n")
