"""Modules of definitions: what is wrong with one is told with its place, and all at once."""

import sys
from pathlib import Path

import pytest

from featurestore import load
from featurestore.definitions.catalog import path_without_definitions
from featurestore.errors import DefinitionError


def problems_of(definitions: str) -> tuple[str, ...]:
    with pytest.raises(DefinitionError) as raised:
        load(definitions)
    return raised.value.problems


MODULE = """
from datetime import datetime
from pydantic import BaseModel
from featurestore import *

class Click(BaseModel):
    user: str
    at: datetime

clicks = Stream("clicks", contract=Click, event_time="when")
view = FeatureView("v", stream=clicks, entity=Entity("user", keys=["usr"]), windows=["1x"],
                   features={"a": total("user")})
"""


def test_a_module_tells_the_problems_of_all_its_definitions_at_once(tmp_path: Path) -> None:
    file = tmp_path / "wrong_features.py"
    file.write_text(MODULE)
    found = problems_of(str(file))
    assert len(found) == 4
    assert [problem.split(":")[0] for problem in found] == ["stream 'clicks'", *["view 'v'"] * 3]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("x = 1", "it defines no stream, view or service"),
        ("x = nothing", "NameError: name 'nothing' is not defined"),
        ("x = (", "SyntaxError"),
        ("import no_such_module_anywhere", "ModuleNotFoundError"),
        ("from featurestore import column\nif column('a') > 1: pass", "use & | ~ for and, or, not"),
        ("\nraise NotImplementedError", "line 2: NotImplementedError"),
        ("class Odd(Exception): pass\nraise Odd('why')", "line 2: Odd: why"),
        (
            "from pydantic import BaseModel\nclass Sale(BaseModel):\n    x: object()",
            "PydanticSchema",
        ),
        ("import pyarrow as pa\npa.scalar(2**70)", "line 2: OverflowError"),
    ],
)
def test_a_module_that_cannot_be_loaded_says_why(tmp_path: Path, text: str, problem: str) -> None:
    file = tmp_path / f"broken_{abs(hash(text))}.py"
    file.write_text(text)
    (found,) = problems_of(str(file))
    assert problem in found


@pytest.mark.parametrize(
    "wrong", ["column('a') > 1 and column('b') > 1", "Stream('x')", "import_module('nowhere')"]
)
def test_what_a_module_raises_far_down_is_said_of_its_own_line(tmp_path: Path, wrong: str) -> None:
    file = tmp_path / f"deep_{abs(hash(wrong))}.py"
    imports = "from featurestore import Stream, column\nfrom importlib import import_module\n"
    file.write_text(f"{imports}\nx = {wrong}\n")
    (found,) = problems_of(str(file))
    assert f"cannot be loaded: {file}, line 4: " in found


def test_a_process_that_is_started_does_not_look_beside_definitions_first(tmp_path: Path) -> None:
    file = tmp_path / "fine_features.py"
    file.write_text(MODULE.replace('"when"', '"at"').replace('"usr"', '"user"').split("view =")[0])
    load(str(file))
    before = sys.path.copy()
    assert str(tmp_path) in before
    with path_without_definitions():
        assert str(tmp_path) not in sys.path
    assert sys.path == before


def test_a_file_that_is_not_there_is_named() -> None:
    (found,) = problems_of("no_such.py")
    assert "no_such.py: there is no such file" in found


@pytest.mark.parametrize("name", ["types", "json", "pydantic"])
def test_a_file_named_like_a_module_that_others_need_does_not_stand_in_its_place(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "path", sys.path.copy())
    mended = {'"when"': '"at"', '"usr"': '"user"', '"1x"': '"1h"', 'total("user")': "count()"}
    text = MODULE
    for wrong, right in mended.items():
        text = text.replace(wrong, right)
    before, path = sys.modules[name], tmp_path / f"{name}.py"
    path.write_text(text)
    for _ in range(2):
        assert list(load(str(path)).streams) == ["clicks"]
    assert sys.modules[name] is before
