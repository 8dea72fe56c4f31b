"""How long rows live."""

from featurestore.instants import DAY, HOUR, MINUTE
from flows.expiry import Expiry


def test_a_replayed_row_outlives_its_window_in_wall_time() -> None:
    replay = Expiry(DAY)
    frontier = 10 * DAY  # the stream has come to day 10 after 1970; the wall clock is far ahead
    (at,) = replay.move([b"u"], [frontier - HOUR], frontier, now_us=20_000 * DAY)  # type: ignore[arg-type]
    assert at is not None
    assert at * 1000 >= 20_000 * DAY + 23 * HOUR


def test_expiry_moves_only_when_half_the_grace_is_used() -> None:
    expiry = Expiry(HOUR)
    moved = [
        next(iter(expiry.move([b"u"], [t], t, t)))  # type: ignore[arg-type]
        for t in range(0, 30 * MINUTE, MINUTE)
    ]
    said = [minute for minute, at in enumerate(moved) if at is not None]
    assert said[0] == 0
    assert all(b - a > 5 for a, b in zip(said, said[1:], strict=False))
    needed = [t + HOUR for t in range(0, 30 * MINUTE, MINUTE)]
    current = 0
    for at, need in zip(moved, needed, strict=True):
        current = at * 1000 if at is not None else current
        assert current >= need
