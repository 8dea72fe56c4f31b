"""``dead-letters``: rejected events, listed and shown."""

import json
from pathlib import Path

import pytest

from tests.cli.conftest import Command


@pytest.fixture
def store(featurestore: Command, features: str, events: str, redis_url: str) -> list[str]:
    """Run over events of which two are rejected; return the words that name the rest."""
    source = ["--source", f"payments={events}", "--until-end", "--redis", redis_url]
    done = featurestore("run", features, *source)
    assert (done.code, "applied 2\n" in done.out) == (0, True)
    return [features, "--redis", redis_url]


def test_each_is_listed_with_its_reason_newest_first(
    featurestore: Command, store: list[str]
) -> None:
    done = featurestore("dead-letters", "list", *store)
    assert (done.code, done.err) == (0, "")
    assert "payments: future 1, invalid 1" in done.out
    first, _, _, second, detail, raw = done.out.splitlines()[1:]
    assert "  future  payments payments.jsonl:" in first
    assert "  invalid  payments payments.jsonl:" in second
    assert detail.startswith("  amount: ")
    assert '"amount": "many"' in raw


def test_one_reason_and_a_limit_can_be_asked_for(featurestore: Command, store: list[str]) -> None:
    late = featurestore("dead-letters", "list", *store, "--reason", "future", "--json")
    assert [json.loads(line)["reason"] for line in late.out.splitlines()] == ["future"]
    one = featurestore("dead-letters", "list", *store, "--limit", "1", "--json")
    assert len(one.out.splitlines()) == 1


def test_one_is_shown_in_full_by_the_id_that_list_gives(
    featurestore: Command, store: list[str], events: str
) -> None:
    listed = featurestore("dead-letters", "list", *store, "--reason", "invalid", "--json")
    letter = json.loads(listed.out)
    done = featurestore("dead-letters", "show", store[0], "payments", letter["id"], *store[1:])
    assert done.code == 0
    raw = Path(events).read_text().splitlines()[1]
    assert f"raw: {raw}\n" in done.out
    assert "reason: invalid\n" in done.out


def test_ids_are_whole_on_a_narrow_terminal(
    featurestore: Command, store: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "60")
    letters = featurestore("dead-letters", "list", *store, "--json").out.splitlines()
    table = featurestore("dead-letters", "list", *store).out
    assert all(json.loads(letter)["id"] in table for letter in letters)


@pytest.mark.parametrize("letter", ["nonsense", "1-1", "-", "+"])
def test_one_that_is_not_there_says_where_ids_are(
    featurestore: Command, store: list[str], letter: str
) -> None:
    done = featurestore("dead-letters", "show", store[0], "payments", *store[1:], "--", letter)
    assert (done.code, done.out) == (1, "")
    assert f"has no dead letter {letter!r}" in done.err
    assert "dead-letters list" in done.err


def test_a_misspelt_stream_is_hinted_at(featurestore: Command, store: list[str]) -> None:
    done = featurestore("dead-letters", "list", *store, "--stream", "paymnts")
    assert done.code == 1
    assert "did you mean 'payments'?" in done.err


def test_a_stream_without_any_says_so(featurestore: Command, features: str, redis_url: str) -> None:
    done = featurestore("dead-letters", "list", features, "--redis", redis_url)
    assert (done.code, done.out) == (0, "payments: no dead letters\n")


FIXES = """
from decimal import Decimal


class Odd(Exception):
    pass


def raising(payment):
    raise Odd("no")


def unwritable(payment):
    return payment | {"amount": object()}


def partly(payment):
    return payment["amount"]


def mending(payment):
    return payment | {"amount": Decimal("2.5")}
"""


@pytest.mark.parametrize(
    ("mend", "code", "said"),
    [
        ("fixes_of_ours:raising", 1, "fixes_of_ours:raising failed on letter"),
        ("fixes_of_ours:raising", 1, "Odd: no"),
        ("fixes_of_ours:unwritable", 1, "Unable to serialize unknown type"),
        ("fixes_of_ours:partly", 1, "it gave str; return the event as a dict, or None to leave"),
        ("fixes_of_ours:mend", 2, "AttributeError: module 'fixes_of_ours' has no attribute 'mend'"),
        ("broken_fixes:mend", 2, "SyntaxError"),
    ],
)
def test_what_a_mending_function_does_wrong_is_said(  # noqa: PLR0917 - fixtures
    featurestore: Command,
    store: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    mend: str,
    code: int,
    said: str,
) -> None:
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "fixes_of_ours.py").write_text(FIXES)
    (tmp_path / "broken_fixes.py").write_text("def mend(")
    done = featurestore("dead-letters", "replay", *store, "--reason", "invalid", "--mend", mend)
    assert (done.code, said in " ".join(done.err.split())) == (code, True)


def test_an_event_with_what_is_no_json_number_can_be_mended(
    featurestore: Command,
    features: str,
    redis_url: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "fixes_of_nan.py").write_text(FIXES)
    event = {"user_id": "u", "country": "NL", "amount": float("nan"), "note": None, "trace": 2**70}
    event["paid_at"] = "2026-01-01T00:00:00Z"
    (tmp_path / "nan.jsonl").write_text(json.dumps(event) + "\n")
    source = ["--source", f"payments={tmp_path / 'nan.jsonl'}", "--until-end"]
    assert "invalid 1" in featurestore("run", features, *source, "--redis", redis_url).out
    mend = ["--mend", "fixes_of_nan:mending", "--redis", redis_url]
    done = featurestore("dead-letters", "replay", features, *mend)
    assert (done.code, done.out) == (0, "applied 1\n")
