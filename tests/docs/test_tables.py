"""Tables in the docs are what the library gives today."""

import runpy
from pathlib import Path

DOCS = Path(__file__).parents[2] / "docs"


def test_the_shares_of_exact_answers_are_what_is_measured() -> None:
    """Up to a point: quantiles of busy rows are chosen at random."""
    table = runpy.run_path(str(DOCS / "tables" / "exact_shares.py"))
    measured, page = list(table["lines"]()), (DOCS / "windows.md").read_text().splitlines()
    start = page.index(measured[0])
    for found, said in zip(measured, page[start : start + len(measured)], strict=True):
        cells = zip(found.split(" | "), said.split(" | "), strict=True)
        assert all(_close(one, other) for one, other in cells), (found, said)


def _close(found: str, said: str) -> bool:
    if "%" not in found or "%" not in said or "≤" in found:
        return found == said
    return abs(_number(found) - _number(said)) <= 1


def _number(cell: str) -> float:
    return float(cell.split("%", maxsplit=1)[0])
