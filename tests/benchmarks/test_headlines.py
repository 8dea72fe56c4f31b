"""What README says of speed is what was measured."""

import json
from pathlib import Path

import pytest

from benchmarks.harness.headlines import HEADLINES, README, headlines, show_in
from benchmarks.harness.report import RESULTS

ROWS = json.loads((RESULTS / "figures.json").read_text())["rows"]


def test_readme_shows_the_figures_of_the_results():
    assert headlines(ROWS) in README.read_text()


@pytest.mark.parametrize("place", HEADLINES.values(), ids=str)
def test_a_headline_is_a_row_of_the_results(place: tuple[str, str]):
    assert place in {(row["claim"], row["what"]) for row in ROWS}


def test_only_what_stands_between_the_marks_is_replaced(tmp_path: Path):
    readme = tmp_path / "README.md"
    readme.write_text("before\n<!-- figures: old -->\nold\n<!-- end of figures -->\nafter\n")

    show_in(readme, ROWS)

    before, table, after = readme.read_text().partition(headlines(ROWS))
    assert before == "before\n<!-- figures: old -->\n"
    assert table
    assert after == "\n<!-- end of figures -->\nafter\n"
