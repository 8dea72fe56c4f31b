"""The pages: every command and snippet in them is run, and prints what they show."""

import re
import sys
import tomllib
from pathlib import Path

import click
import pytest

from api.app import create_app
from api.metrics import Metrics
from featurestore import load
from featurestore.cli import COMMANDS, cli
from tests.docs.blocks import blocks_of
from tests.docs.session import Session

ROOT = Path(__file__).parents[2]
NAMES = (
    "definitions",
    "http",
    "cli",
    "operations",
    "services",
    "shaping",
    "testing",
    "dataflows",
)
PAGES = ["README.md", *(f"docs/{name}.md" for name in NAMES)]
CLI = (ROOT / "docs/cli.md").read_text()
RUN = {"console", "python"}
SHOWN = {"text", "sh", "json", "ini", "yaml"}
INSTALLS = re.compile(
    r"(git clone|cd|make|python3? -m venv|\. \.venv/bin/activate|\.venv/bin/pip install|docker) ?.*"
    r"|#.*|"
)


@pytest.mark.parametrize("page", PAGES)
def test_what_a_page_says_is_what_happens(
    page: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "features", raising=False)
    session = Session(tmp_path)
    for block in blocks_of(ROOT / "README.md"):
        if block.name in {"features.py", "payments.jsonl"}:
            session.run(block)
    if "rm -r .featurestore" not in (ROOT / page).read_text():
        session.keep_store()
    try:
        for block in blocks_of(ROOT / page):
            session.run(block)
    finally:
        session.close()


@pytest.mark.parametrize("page", PAGES)
def test_only_what_installs_is_not_run(page: str) -> None:
    for block in blocks_of(ROOT / page):
        assert block.language in RUN | SHOWN or block.name, (page, block.line)
        if block.language == "sh":
            for line in block.text.splitlines():
                assert INSTALLS.fullmatch(line), f"{page}, line {block.line}: {line}"


def test_every_make_target_and_extra_that_is_named_exists() -> None:
    text = "".join((ROOT / page).read_text() for page in PAGES)
    made = re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert set(re.findall(r"(?:^|`)make ([a-z]+)", text, re.MULTILINE)) <= set(made)
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"][
        "optional-dependencies"
    ]
    assert {
        name for found in re.findall(r"\.\[([a-z,]+)\]", text) for name in found.split(",")
    } <= set(extras)


def options_of(command: click.Command) -> set[str]:
    return {word for option in command.params for word in option.opts if word.startswith("--")} - {
        "--help"
    }


@pytest.mark.parametrize("name", COMMANDS)
def test_every_option_of_a_command_is_told_and_no_other(name: str) -> None:
    command = cli.get_command(click.Context(cli), name)
    assert command is not None
    parts = [command, *(command.commands.values() if isinstance(command, click.Group) else [])]
    section = re.search(rf"^## {name}$(.*?)(?=^## |\Z)", CLI, re.DOTALL | re.MULTILINE)
    assert section is not None
    told = set(re.findall(r"^\| `(--[a-z-]+)", section[1], re.MULTILINE))
    told |= set(re.findall(r"\[(--redis) URL\]", section[1]))
    assert told == {option for part in parts for option in options_of(part)}


def test_every_route_is_told() -> None:
    app = create_app(load("examples.flights.features"), "redis://nowhere")
    page = (ROOT / "docs/http.md").read_text()
    assert [path for path in app.openapi()["paths"] if path not in page] == []


def test_every_metric_is_told() -> None:
    counts = {"payments": {"applied": 1, "newest_us": 1}}
    metrics = Metrics.alone()
    names = re.findall(r"^# TYPE (\S+)", metrics.text(counts), re.MULTILINE)
    page = (ROOT / "docs/operations.md").read_text()
    assert [name for name in names if name not in page] == []
