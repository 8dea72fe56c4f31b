"""The Makefile: what a fresh machine meets first."""

import os
import re
import subprocess
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
MAKEFILE = (ROOT / "Makefile").read_text()


def make(folder: Path, *words: str) -> "subprocess.CompletedProcess[str]":
    """Run this Makefile in a folder of its own, where nothing is installed."""
    (folder / "Makefile").write_text(MAKEFILE)
    for name in ("requirements.lock", "pyproject.toml"):
        (folder / name).touch()
    outside = {name: text for name, text in os.environ.items() if not name.startswith("MAKE")}
    return subprocess.run(
        ["make", *words], cwd=folder, env=outside, capture_output=True, text=True, check=False
    )


def test_make_alone_explains_every_target(tmp_path: Path) -> None:
    (phony,) = re.findall(r"^\.PHONY: (.*)$", MAKEFILE, re.MULTILINE)
    done = make(tmp_path)
    assert done.returncode == 0
    for target in phony.removeprefix("help ").split():
        assert f"  make {target} " in done.stdout


def stand_in(path: Path, script: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)


def test_a_python_that_cannot_be_used_is_a_message_that_says_what_is_needed(
    tmp_path: Path,
) -> None:
    stand_in(tmp_path / "python9", "exit 127")  # as version managers leave them on the path
    done = make(tmp_path, "install", f"PYTHON={tmp_path}/python9")
    assert done.returncode != 0
    assert f"no usable Python: {tmp_path}/python9" in done.stderr
    assert "Python 3.11 or 3.12" in done.stderr
    assert not (tmp_path / ".venv").exists()


def test_without_any_python_those_that_were_tried_are_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("python3.12", "python3.11", "python3"):
        stand_in(tmp_path / "bin" / name, "exit 1")
    monkeypatch.setenv("PATH", f"{tmp_path}/bin:{os.environ['PATH']}")
    done = make(tmp_path, "install")
    assert done.returncode != 0
    assert "python3.12, python3.11 and python3 were tried" in done.stderr


def test_the_first_python_that_works_is_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stand_in(tmp_path / "bin" / "python3.12", "exit 1")
    stand_in(tmp_path / "bin" / "python3.11", 'case "$*" in *venv\\ --clear*) echo made >&2;; esac')
    monkeypatch.setenv("PATH", f"{tmp_path}/bin:{os.environ['PATH']}")
    assert "made" in make(tmp_path, "install").stderr


def test_one_failing_part_hides_no_other_and_fails_the_whole(tmp_path: Path) -> None:
    tools = tmp_path / ".venv" / "bin"
    for name in ("ruff", "lint-imports", "pytest"):
        stand_in(tools / name, f"echo {name} $* ran")
    stand_in(tools / "mypy", "echo mypy found a fault; exit 3")
    (tmp_path / "requirements.lock").touch()
    (tmp_path / "pyproject.toml").touch()
    installed = tmp_path / ".venv" / ".installed"
    installed.touch()
    os.utime(installed, (2**32, 2**32))
    done = make(tmp_path, "test")
    assert done.returncode != 0
    for words in ("ruff format --check ran", "ruff check ran", "mypy found a fault", "pytest ran"):
        assert words in done.stdout
    assert "failed: mypy\n" in done.stdout
    stand_in(tools / "mypy", "echo mypy is content")
    assert make(tmp_path, "test").returncode == 0


def test_the_lock_pins_every_dependency_with_hashes() -> None:
    lock = (ROOT / "requirements.lock").read_text()
    pinned = re.findall(r"^([a-z0-9-]+)==", lock, re.MULTILINE)
    blocks = re.split(r"^(?=[a-z0-9-]+==)", lock, flags=re.MULTILINE)[1:]
    assert all("--hash=sha256:" in block for block in blocks)
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]
    wanted = [*project["dependencies"], *extras["dev"], *extras["demo"]]
    names = {re.split(r"[\[<>=~ ]", line)[0].lower().replace("_", "-") for line in wanted}
    assert names - {"featurestore"} <= set(pinned)


def test_ci_runs_what_runs_on_a_desk() -> None:
    script = (ROOT / ".ci" / "run").read_text()
    assert os.access(ROOT / ".ci" / "run", os.X_OK)
    assert script.startswith("#!/usr/bin/env bash\n")
    assert "set -eu\n" in script
    assert script.splitlines()[-1] == "exec make test"
