"""``check``: what definitions hold."""

from pathlib import Path

import pytest

from tests.cli.conftest import FEATURES, Command
from tests.enrichment.profiles import DEFINITIONS

ROWS = "rows up to 1.1 MiB with texts of 64 bytes"


def test_it_shows_streams_views_features_and_services(
    featurestore: Command, features: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "200")
    done = featurestore("check", features)
    assert (done.code, done.err) == (0, "")
    assert done.out.splitlines() == [
        "stream payments  event time paid_at",
        "├── columns user_id str, country str, amount float, note str?, paid_at datetime",
        "└── view spending  by user_id, country over 1h, 24h, up to 7d ago, where (amount > 0); "
        + ROWS,
        "    ├── payments = count()  int",
        "    ├── spent = total(amount)  float",
        "    └── note = last(note)  str",
        "service fraud_v1  by user_id str, country str",
        "└── spending: spent_1h, payments_24h",
        "good: 1 stream, 1 view, 6 features, 1 service",
    ]
    assert not (tmp_path / ".featurestore").exists(), "it opened a store"


def test_it_names_windows_that_start_at_an_event(featurestore: Command, tmp_path: Path) -> None:
    windows = '[session("30m"), last_n_events(10, offset="1d")]'
    text = FEATURES.replace('["1h", "24h"],\n    offset="7d"', f"{windows},\n    offset=None")
    text = text.replace("column, count", "column, count, last_n_events, session")
    path = tmp_path / "features.py"
    path.write_text(text.replace('"spent_1h", "payments_24h"', '"spent_session_30m"'))
    done = featurestore("check", str(path))
    assert (done.code, done.err) == (0, "")
    assert "over session_30m, last_10_1d_ago, where (amount > 0)" in done.out
    assert "└── spending: spent_session_30m" in done.out


def test_it_says_what_streams_are_looked_up_in_and_hides_how_that_is_kept(
    featurestore: Command, tmp_path: Path
) -> None:
    path = tmp_path / "features.py"
    path.write_text(DEFINITIONS)
    done = featurestore("check", str(path))
    assert (done.code, done.err) == (0, "")
    assert "├── enrich profile = newest event of stream 'profiles' by payer\n" in done.out
    assert "latest:" not in done.out
    assert done.out.endswith("good: 2 streams, 2 views, 6 features, 2 services\n")


def test_the_example_is_good(featurestore: Command) -> None:
    done = featurestore("check", "examples.flights.features")
    assert done.code == 0
    assert done.out.endswith("good: 1 stream, 4 views, 53 features, 1 service\n")
