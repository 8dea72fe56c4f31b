"""How long rows live."""

from itertools import pairwise

import numpy as np

from featurestore.instants import DAY, HOUR, MINUTE
from flows.expiry import REMEMBERED, SILENT_GRACE_US, Expiry


def test_expiry_moves_only_when_half_the_grace_is_used() -> None:
    expiry, until = Expiry(HOUR), 0
    minutes = range(0, 30 * MINUTE, MINUTE)
    said = []
    for minute, now in enumerate(minutes):
        if expiry.due([b"u"], now)[0]:
            said.append(minute)
            until = now + expiry.lifetime_ms * 1000
        assert until >= now + HOUR
    assert said[0] == 0
    assert all(b - a > 5 for a, b in pairwise(said))


def test_a_row_of_a_view_with_its_own_clock_lives_a_week_from_whenever_it_was_written_to() -> None:
    expiry, until = Expiry(HOUR, SILENT_GRACE_US), 0
    for now in range(0, 30 * DAY, 5 * HOUR):
        if expiry.due([b"u"], now)[0]:
            until = now + expiry.lifetime_ms * 1000
        assert until >= now + HOUR + 7 * DAY


def test_more_rows_than_it_remembers_are_told_again_never_forgotten() -> None:
    expiry = Expiry(HOUR)
    keys = [b"u%d" % n for n in range(3 * REMEMBERED)]
    assert expiry.due(keys, 0).all()
    again = expiry.due(keys, 0)
    assert 0 < np.count_nonzero(~again) <= REMEMBERED


def test_a_tenth_of_what_it_can_remember_it_hardly_forgets() -> None:
    expiry = Expiry(HOUR)
    keys = [b"u%d" % n for n in range(REMEMBERED // 10)]
    assert expiry.due(keys, 0).all()
    assert np.count_nonzero(expiry.due(keys, 0)) < len(keys) / 50
    assert np.count_nonzero(expiry.due(keys, 0)) < len(keys) / 200
