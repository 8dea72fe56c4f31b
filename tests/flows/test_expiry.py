"""How long rows live."""

from itertools import pairwise

import numpy as np

from featurestore.instants import DAY, HOUR, MINUTE
from flows.expiry import REMEMBERED, Expiry


def lifetime(expiry: Expiry, newest: int, frontier: int, now: int) -> int | None:
    """How long row u lives, ms; None where that is known."""
    moved, lifetimes = expiry.lifetimes([b"u"], np.array([newest]), frontier, now)
    return int(lifetimes[0]) if len(moved) else None


def test_a_replayed_row_outlives_its_window_in_wall_time() -> None:
    replay = Expiry(DAY)
    frontier = 10 * DAY  # the stream has come to day 10 after 1970; the wall clock is far ahead
    ms = lifetime(replay, frontier - HOUR, frontier, 0)
    assert ms is not None
    assert ms * 1000 >= 23 * HOUR


def test_expiry_moves_only_when_half_the_grace_is_used() -> None:
    expiry = Expiry(HOUR)
    minutes = range(0, 30 * MINUTE, MINUTE)
    moved = [lifetime(expiry, t, t, t) for t in minutes]
    said = [minute for minute, ms in enumerate(moved) if ms is not None]
    assert said[0] == 0
    assert all(b - a > 5 for a, b in pairwise(said))
    until = 0
    for ms, now in zip(moved, minutes, strict=True):
        until = now + ms * 1000 if ms is not None else until
        assert until >= now + HOUR


def test_more_rows_than_it_remembers_are_told_again_never_forgotten() -> None:
    expiry = Expiry(HOUR)
    keys = [b"u%d" % n for n in range(3 * REMEMBERED)]
    at = np.zeros(len(keys), dtype=np.int64)
    moved, _ = expiry.lifetimes(keys, at, 0, 0)
    assert len(moved) == len(keys)
    again, _ = expiry.lifetimes(keys, at, 0, 0)
    assert 0 < len(keys) - len(again) <= REMEMBERED
