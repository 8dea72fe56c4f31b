"""Each claim runs through, so that none rots; its figures mean nothing at this size."""

import json
import math
import shutil
from pathlib import Path

import pytest

from benchmarks.__main__ import CLAIMS, main
from benchmarks.harness.claim import Row, Sample
from benchmarks.harness.open_loop import COMPILER
from benchmarks.harness.report import cells, write


@pytest.mark.parametrize("claim", CLAIMS)
def test_a_claim_can_be_measured_shown_and_written(claim: str, tmp_path: Path):
    if claim == "tail" and shutil.which(COMPILER) is None:
        pytest.skip("its load needs a C compiler")
    main([claim, "--quick", "--results", str(tmp_path)])

    rows = json.loads((tmp_path / "figures.json").read_text())["rows"]
    assert rows
    assert {row["claim"] for row in rows} == {claim}
    assert all(math.isfinite(row["ours"]) and row["ours"] >= 0 for row in rows)
    assert all(row["what"] in (tmp_path / "table.md").read_text() for row in rows)
    plotted = any(row["series"] for row in rows)
    assert (tmp_path / f"{claim}.svg").exists() == plotted


def test_a_ratio_is_the_median_of_rounds_not_of_figures():
    ours, theirs = [Sample(10), Sample(1), Sample(6)], [Sample(1), Sample(1), Sample(2)]
    row = Row("claim", "what", "events/s", ours, "peer", theirs)

    assert row.ratio == 3
    assert cells(row)[1:4] == ("6 events/s", "1 events/s: peer", "3.00")


def test_claims_not_measured_now_keep_their_figures(tmp_path: Path):
    write([Row("old", "an old one", "ms", [Sample(1)])], tmp_path)
    write([Row("new", "a new one", "ms", [Sample(2)])], tmp_path)
    write([Row("new", "a newer one", "ms", [Sample(3)])], tmp_path)

    rows = json.loads((tmp_path / "figures.json").read_text())["rows"]
    assert [row["what"] for row in rows] == ["an old one", "a newer one"]
