"""Pictures are what the library draws today."""

import runpy
from pathlib import Path

IMAGES = Path(__file__).parents[2] / "docs" / "images"


def test_the_picture_of_a_decaying_value_is_drawn_by_the_library() -> None:
    drawn = runpy.run_path(str(IMAGES / "decay.py"))
    assert drawn["picture"]() == (IMAGES / "decay.svg").read_text()


def test_a_busy_row_is_never_more_than_a_hop_off() -> None:
    drawn = runpy.run_path(str(IMAGES / "decay.py"))
    exact, busy = drawn["curve"](10_000), drawn["curve"](128)
    assert exact != busy
    hop = 10  # seconds, of a window of ten minutes
    for second in range(hop, len(exact)):
        assert exact[second] <= busy[second] <= exact[second - hop], second
