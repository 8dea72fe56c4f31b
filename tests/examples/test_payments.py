"""The example of card payments: its data, and its features against plain Python."""

import json
import statistics
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from examples.payments import __main__ as decide
from examples.payments.make_data import FRAUDS, MERCHANTS, PAYMENTS, PROFILES, made, profiles
from featurestore.client import Client
from featurestore.testing import Store
from flows.main import Job, run_worker

DEFINITIONS = str(PAYMENTS.parent / "features.py")
FIRST, END = datetime(2026, 2, 1, tzinfo=UTC), datetime(2026, 3, 10, tzinfo=UTC)
EUROS = {"EUR": 1.0, "USD": 0.92, "GBP": 1.17}
MEASURES = {
    "card": (["10m", "1h", "24h"], "card_id"),
    "user": (["1h", "24h", "7d"], "user_id"),
    "merchant": (["10m", "1h", "24h"], "merchant_id"),
}
WIDTHS = {
    "10m": timedelta(minutes=10),
    "1h": timedelta(hours=1),
    "24h": timedelta(hours=24),
    "7d": timedelta(days=7),
}


def good() -> Iterator[dict[str, Any]]:
    """The payments that count, each once, read off the file by plain rules."""
    categories = dict(line.split(",", 1) for line in MERCHANTS.read_text().split())
    homes = sorted(map(json.loads, PROFILES.read_text().splitlines()), key=since)
    seen = set()
    for line in PAYMENTS.read_text().splitlines():
        try:
            p = json.loads(line)
        except json.JSONDecodeError:
            continue
        wrong = "user_id" not in p or p["amount"] in (-10.0, "ten") or p["status"] == "pending"
        if wrong or p["payment_id"] in seen:
            continue
        p["at"] = datetime.fromisoformat(p["paid_at"])
        if not FIRST <= p["at"] < END:
            continue
        seen.add(p["payment_id"])
        category, country, online = categories.get(p["merchant_id"], ",,").split(",")
        home = [h["home"] for h in homes if h["user_id"] == p["user_id"] and since(h) <= p["at"]]
        yield p | {
            "euros": p["amount"] * EUROS[p["currency"]],
            "category": category or None,
            "country": country or None,
            "online": {"true": 1, "false": 0}.get(online),
            "abroad": country != home[-1] if country and home else None,
        }


def since(profile: dict[str, Any]) -> datetime:
    return datetime.fromisoformat(profile["since"])


def mean(values: list[Any]) -> float | None:
    return statistics.fmean(values) if values else None


def expected(prefix: str, payments: list[dict[str, Any]], now: datetime) -> dict[str, Any]:
    """Every feature of payments in one window, oldest first."""
    euros = [p["euros"] for p in payments]
    declined = mean([p["status"] == "declined" for p in payments])
    count, spent = len(payments), sum(euros) if euros else None
    last = payments[-1] if payments else None
    if prefix == "card":
        categories = [p["category"] for p in payments if p["category"]]
        return {
            "payments": count,
            "spent": spent,
            "smallest": min(euros, default=None),
            "small": sum(e < 5 for e in euros),
            "declined": declined,
            "merchants": len({p["merchant_id"] for p in payments}) or None,
            "countries": len({p["country"] for p in payments} - {None}) or None,
            "silence": (now - last["at"]).total_seconds() if last else None,
            "online": mean([p["online"] for p in payments if p["online"] is not None]),
            "last_paid_at": last["at"] if last else None,
            "last_category": categories[-1] if categories else None,
        }
    cards = len({p["card_id"] for p in payments}) or None
    if prefix == "merchant":
        return {
            "payments": count,
            "spent": spent,
            "average": mean(euros),
            "declined": declined,
            "cards": cards,
        }
    approved = [p["euros"] for p in payments if p["status"] == "approved"]
    paris = ZoneInfo("Europe/Paris")
    return {
        "payments": count,
        "spent": sum(approved) if approved else None,
        "average": mean(euros),
        "spread": statistics.pstdev(euros) if euros else None,
        "largest": max(euros, default=None),
        "cards": cards,
        "night": mean([p["at"].astimezone(paris).hour < 6 for p in payments]),
        "abroad": mean([p["abroad"] for p in payments if p["abroad"] is not None]),
        "recent": sum(0.5 ** ((now - p["at"]) / timedelta(hours=1)) for p in payments),
        "usual_merchants": Counter(p["merchant_id"] for p in payments),
    }


def streak(mine: list[dict[str, Any]], now: datetime) -> dict[str, Any]:
    """The session under way and the last five payments, walked back one by one."""
    before = [p for p in mine if p["at"] <= now][::-1]
    session: list[dict[str, Any]] = []
    for p in before:
        if (session[-1]["at"] if session else now) - p["at"] > timedelta(minutes=30):
            break
        session.append(p)
    found = {}
    for window, inside in (("session_30m", session), ("last_5", before[:5])):
        euros = [p["euros"] for p in inside]
        found |= {
            f"card_payments_{window}": len(inside),
            f"card_spent_{window}": sum(euros) if euros else None,
            f"card_declined_{window}": mean([p["status"] == "declined" for p in inside]),
            f"card_rise_{window}": max(euros) / statistics.fmean(euros) if euros else None,
        }
    return found


def vector(payments: list[dict[str, Any]], entity: dict[str, str], now: datetime) -> dict[str, Any]:
    found = {}
    for prefix, (windows, key) in MEASURES.items():
        mine = [p for p in payments if p[key] == entity[key]]
        for window in windows:
            inside = [p for p in mine if now - WIDTHS[window] < p["at"] <= now]
            values = expected(prefix, inside, now)
            found |= {f"{prefix}_{name}_{window}": value for name, value in values.items()}
    found |= streak([p for p in payments if p["card_id"] == entity["card_id"]], now)
    ever = [p["at"] for p in payments if p["user_id"] == entity["user_id"] and p["at"] <= now]
    ever_first = {"user_first_seen_ever": min(ever, default=None)}
    return found | ever_first | {"user_payments_ever": len(ever)}


@pytest.fixture(scope="module")
def payments() -> list[dict[str, Any]]:
    return sorted(good(), key=lambda p: p["at"])


@pytest.fixture(scope="module")
def store() -> Store:
    store = Store(DEFINITIONS, now=END)
    store.feed("profiles", PROFILES)
    store.feed("payments", PAYMENTS)
    return store


def test_the_file_holds_what_the_generator_makes_and_is_small() -> None:
    lines, frauds = made()
    assert PAYMENTS.read_text().splitlines() == lines
    assert FRAUDS.read_text().split() == frauds
    assert [json.loads(line) for line in PROFILES.read_text().splitlines()] == list(profiles())
    assert PAYMENTS.stat().st_size < 200_000


def test_every_payment_counts_once_and_what_is_wrong_is_told_apart(
    store: Store, payments: list[dict[str, Any]]
) -> None:
    assert store.counts("payments") == {
        "read": 997,
        "applied": len(payments),
        "duplicate": 30,
        "invalid": 4,
        "malformed": 1,
        "future": 1,
    }


def test_every_feature_is_what_plain_python_makes_of_the_raw_lines(
    store: Store, payments: list[dict[str, Any]]
) -> None:
    asked = payments[::16] + [p for p in payments if p["card_id"] in ("c3", "x11", "g24")]
    for payment in asked:
        entity = {key: payment[key] for _, key in MEASURES.values()}
        now = payment["at"] + timedelta(seconds=payment["amount"] % 3)
        got = store.get("fraud_v1", entity, as_of=now)
        wanted = vector(payments, entity, now)
        assert got.keys() == wanted.keys()
        for name, value in wanted.items():
            if isinstance(value, datetime):
                assert datetime.fromisoformat(str(got[name])) == value, name
            elif isinstance(value, Counter):
                ((merchant, times),) = (got[name] or {None: 0}).items()
                assert times == value[merchant] == max(value.values(), default=0), name
            elif value is None or isinstance(value, str):
                assert got[name] == value, (name, entity, now)
            else:
                assert got[name] == pytest.approx(value, rel=1e-9, abs=1e-9), (name, entity, now)


def test_flow_and_server_answer_the_same(
    store: Store, payments: list[dict[str, Any]], redis_url: str
) -> None:
    sources = [("payments", str(PAYMENTS)), ("profiles", str(PROFILES))]
    summary = run_worker(Job(DEFINITIONS, sources, redis_url, until_end=True))
    assert summary.counts == Counter(store.counts("payments")) + Counter(store.counts("profiles"))
    with Client(DEFINITIONS, redis_url) as client:
        for payment in payments[::97]:
            entity = {key: payment[key] for _, key in MEASURES.values()}
            expected = store.get("fraud_v1", entity, as_of=payment["at"])
            assert client.get("fraud_v1", entity, as_of=payment["at"]) == expected


def test_rules_on_the_vector_find_the_frauds(payments: list[dict[str, Any]]) -> None:
    """The pattern of a tested card: everything up to there, then one by one."""
    lines = PAYMENTS.read_text().splitlines()
    start = next(n for n, line in enumerate(lines) if '"c3"' in line and '"p0900"' in line)
    store = Store(DEFINITIONS, now=END)
    store.feed("profiles", PROFILES)
    store.feed("payments", "\n".join(lines[:start]) + "\n")
    found = dict(decide.odd(store, islice(lines, start, start + 30)))
    emptied = next(p for p in payments if p["amount"] == 890.0 and p["user_id"] == "u3")
    assert found[emptied["payment_id"]] == [
        "much more than usual",
        "small ones, then a large one",
        "all over town",
    ]
    assert set(found) <= set(FRAUDS.read_text().split())


def test_what_is_unusual_is_worked_out_with_the_payment_at_hand(
    store: Store, payments: list[dict[str, Any]]
) -> None:
    emptied = next(p for p in payments if p["amount"] == 890.0 and p["user_id"] == "u3")
    keys, before = {key: emptied[key] for _, key in MEASURES.values()}, emptied["at"]
    now = before - timedelta(microseconds=1)
    got = store.get("fraud_now_v1", keys, as_of=now, context={"euros": 890.0})
    mine = [p for p in payments if p["user_id"] == "u3"]
    euros = [p["euros"] for p in mine if now - timedelta(days=7) < p["at"] <= now]
    average, spread = statistics.fmean(euros), max(statistics.pstdev(euros), 1.0)
    assert got["times_average"] == pytest.approx(890 / average)
    assert got["spreads_away"] == pytest.approx((890 - average) / spread)
    assert got["hour_of_day"] == before.astimezone(ZoneInfo("Europe/Paris")).hour


def test_the_definitions_say_where_their_table_lies(tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.chdir(tmp_path)
    assert Store(DEFINITIONS, now=END).feed("payments", PAYMENTS)["applied"] > 0
