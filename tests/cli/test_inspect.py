"""``inspect``: a row, for people."""

import pytest

from tests.cli.conftest import Command


@pytest.fixture
def store(featurestore: Command, features: str, events: str, redis_url: str) -> list[str]:
    source = ["--source", f"payments={events}", "--until-end", "--redis", redis_url]
    assert featurestore("run", features, *source).code == 0
    return [features, "spending", "--redis", redis_url]


def test_the_events_of_a_row_are_shown_as_they_were(
    featurestore: Command, store: list[str]
) -> None:
    done = featurestore("inspect", *store, "user_id=u1", "country=NL")
    assert (done.code, done.err) == (0, "")
    assert "2 events" in done.out
    assert "5.0" in done.out
    assert "7.0" in done.out
    assert "[b]x" in done.out, "text of an event must not be taken for markup"


def test_an_entity_without_a_row_has_none(featurestore: Command, store: list[str]) -> None:
    done = featurestore("inspect", *store, "user_id=u2", "country=NL")
    assert (done.code, done.out.endswith(": no row\n")) == (0, True)


def test_a_missing_key_is_named(featurestore: Command, store: list[str]) -> None:
    done = featurestore("inspect", *store, "user_id=u1")
    assert done.code == 1
    assert done.err == "featurestore: key 'country' is missing, as in country=VALUE\n"


def test_a_key_that_stands_twice_is_refused(featurestore: Command, store: list[str]) -> None:
    done = featurestore("inspect", *store, "user_id=u1", "user_id=u2", "country=NL")
    assert done.code == 1
    assert done.err.startswith("featurestore: key 'user_id' stands twice")


def test_a_key_that_is_none_of_the_view_is_named(featurestore: Command, store: list[str]) -> None:
    done = featurestore("inspect", *store, "user_id=u1", "country=NL", "cuntry=NL")
    assert done.code == 1
    assert "cuntry" in done.err
    assert "did you mean 'country'?" in done.err


def test_a_misspelt_view_is_hinted_at(featurestore: Command, store: list[str]) -> None:
    words = [word if word != "spending" else "spendin" for word in store]
    done = featurestore("inspect", *words, "user_id=u1", "country=NL")
    assert done.code == 1
    assert "did you mean 'spending'?" in done.err


def test_something_that_is_no_pair_is_wrong_usage(featurestore: Command, store: list[str]) -> None:
    assert featurestore("inspect", *store, "u1").code == 2
    assert featurestore("inspect", *store, "=u1").code == 2
