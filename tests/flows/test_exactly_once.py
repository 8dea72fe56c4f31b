"""A flow that is killed between two units, restarted, and judges again: nothing lost or doubled."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime
from typing import Any

import pytest
import redis
from pydantic import BaseModel

from featurestore import Catalog, Entity, FeatureService, FeatureView, Stream, count, total
from featurestore.client import Client
from featurestore.errors import FeatureStoreError, Fenced, StoreRefused
from featurestore.storage.dead_letters import DeadLetters
from featurestore.storage.keys import row_key, view_tag
from tests.hand_flow import SECOND, HandFlow

NOON = 1_700_000_000 * SECOND
SOURCES = {"taps": ["p0"]}


class Tap(BaseModel):
    user: str
    shop: str
    cents: int
    at: datetime


taps = Stream("taps", contract=Tap, event_time="at")
user, shop = Entity("user", keys=["user"]), Entity("shop", keys=["shop"])


def view(entity: Entity, name: str) -> FeatureView:
    return FeatureView(
        name,
        stream=taps,
        entity=entity,
        windows=["10d"],
        features={"taps": count(), "cents": total("cents")},
        shards=1,
    )


by_user, by_shop = view(user, "by_user"), view(shop, "by_shop")


def catalog(*views: FeatureView) -> Catalog:
    services = [FeatureService(f"of_{v.entity.name}", features=[v]) for v in views]
    return Catalog.of(services)


BOTH, ONE = catalog(by_user, by_shop), catalog(by_user)


def tap(at_us: int, cents: int = 1, who: str = "u", where: str = "s") -> dict[str, Any]:
    return {"user": who, "shop": where, "cents": cents, "at": at_us / SECOND}


def counts(url: str, of: Catalog = BOTH, **keys: str) -> dict[str, Any]:
    entity, key = next(iter(keys.items()))
    with Client(of, url) as client:
        return client.get(f"of_{entity}", {entity: key}, as_of=NOON + 86_400 * SECOND)


def ledger(url: str) -> dict[str, int]:
    with redis.Redis.from_url(url, decode_responses=True) as store:
        counted = store.hgetall("{fs:taps}!counts")
    return {name: int(value) for name, value in counted.items() if name != "newest_us"}


@pytest.fixture
def flow(redis_url: str) -> Iterator[HandFlow]:
    flow = HandFlow(redis_url, BOTH, now_us=NOON)
    flow.take_over(SOURCES)
    yield flow
    flow.writer.close()


def again(url: str, of: Catalog = BOTH, now_us: int = NOON) -> HandFlow:
    flow = HandFlow(url, of, now_us=now_us)
    try:
        flow.take_over(SOURCES)
    except FeatureStoreError:
        flow.writer.close()
        raise
    return flow


@pytest.mark.parametrize("units", [0, 1, 2, 3])
def test_a_flush_that_reached_some_units_only_is_completed(
    flow: HandFlow, redis_url: str, monkeypatch: pytest.MonkeyPatch, units: int
) -> None:
    events = {n: tap(NOON - n, 10) for n in range(5)}
    flow.feed("taps", "p0", events)
    flow.die_after_units(units, monkeypatch)
    restarted = again(redis_url)
    restarted.feed("taps", "p0", events)
    restarted.commit()
    assert counts(redis_url, user="u") == {"taps_10d": 5, "cents_10d": 50}
    assert counts(redis_url, shop="s") == {"taps_10d": 5, "cents_10d": 50}
    assert ledger(redis_url) == {"read": 5, "applied": 5}


@pytest.mark.parametrize("units", [1, 2, 3])
def test_smaller_flushes_after_a_crash_and_a_second_crash_double_nothing(
    flow: HandFlow, redis_url: str, monkeypatch: pytest.MonkeyPatch, units: int
) -> None:
    events = {n: tap(NOON - n, 10) for n in range(6)}
    flow.feed("taps", "p0", events)
    flow.die_after_units(units, monkeypatch)
    for _ in range(2):  # it comes back, commits less than was in flight, and dies again
        restarted = again(redis_url)
        restarted.feed("taps", "p0", {n: events[n] for n in range(3)})
        restarted.die_after_units(units, monkeypatch)
    last = again(redis_url)
    last.feed("taps", "p0", events)
    last.commit()
    assert counts(redis_url, user="u")["taps_10d"] == 6
    assert counts(redis_url, shop="s")["taps_10d"] == 6
    assert ledger(redis_url) == {"read": 6, "applied": 6}


def test_an_event_that_was_from_the_future_stays_a_dead_letter_when_it_is_read_again(
    flow: HandFlow, redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    hour = 3600 * SECOND
    events = {0: tap(NOON), 1: tap(NOON + hour), 2: tap(NOON)}
    flow.feed("taps", "p0", events)
    flow.die_after_units(1, monkeypatch)  # the ledger has it, the views have nothing
    later = again(redis_url, now_us=NOON + 2 * hour)
    later.feed("taps", "p0", events)
    later.commit()
    assert counts(redis_url, user="u")["taps_10d"] == 2
    assert ledger(redis_url) == {"read": 3, "applied": 2, "future": 1}
    assert len(DeadLetters(redis_url).newest("taps", 10)) == 1


def test_an_event_that_was_accepted_stays_so_when_the_clock_jumps_back(
    flow: HandFlow, redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    events = {0: tap(NOON), 1: tap(NOON)}
    flow.feed("taps", "p0", events)
    flow.die_after_units(2, monkeypatch)  # the ledger and one view have it
    earlier = again(redis_url, now_us=NOON - 86_400 * SECOND)
    earlier.feed("taps", "p0", {**events, 2: tap(NOON)})
    earlier.commit()
    assert counts(redis_url, user="u")["taps_10d"] == 2
    assert counts(redis_url, shop="s")["taps_10d"] == 2
    assert ledger(redis_url) == {"read": 3, "applied": 2, "future": 1}


def test_a_new_view_reads_the_stream_anew_and_the_old_one_takes_nothing_twice(
    redis_url: str,
) -> None:
    hour = 3600 * SECOND
    events = {0: tap(NOON), 1: tap(NOON), 2: tap(NOON + hour)}
    old = again(redis_url, ONE)
    for offset, event in events.items():  # the last one, from the future, reaches no unit
        old.feed("taps", "p0", {offset: event})
        old.commit()
    DeadLetters(redis_url)._redis.delete("{fs:taps}!dead")  # the letter was let go
    for offset in (0, 1):  # it is killed on the way: the old view's watermark must not fall
        both = again(redis_url, BOTH, now_us=NOON + 2 * hour)
        both.feed("taps", "p0", {offset: events[offset]})
        both.commit()
    both = again(redis_url, BOTH, now_us=NOON + 2 * hour)
    both.feed("taps", "p0", {2: events[2]})
    both.commit()
    assert counts(redis_url, user="u")["taps_10d"] == 2
    assert counts(redis_url, shop="s")["taps_10d"] == 3
    assert ledger(redis_url)["applied"] == 2


def test_a_dead_letter_does_not_enter_a_new_view_beside_its_letter(redis_url: str) -> None:
    hour = 3600 * SECOND
    events = {0: tap(NOON), 1: tap(NOON + hour), 2: tap(NOON)}
    old = again(redis_url, ONE)
    old.feed("taps", "p0", events)
    old.commit()
    both = again(redis_url, BOTH, now_us=NOON + 2 * hour)
    both.feed("taps", "p0", events)
    both.commit()
    assert counts(redis_url, shop="s")["taps_10d"] == 2


def test_where_a_stream_resumes_a_view_that_is_new_starts_over(redis_url: str) -> None:
    old = again(redis_url, ONE)
    old.feed("taps", "p0", {n: tap(NOON) for n in range(4)})
    old.commit()
    assert HandFlow(redis_url, ONE, now_us=NOON).take_over(SOURCES)["taps", "p0"][0] == 3
    assert HandFlow(redis_url, BOTH, now_us=NOON).take_over(SOURCES)["taps", "p0"][0] is None


def test_a_flow_that_was_taken_over_commits_nothing_more(flow: HandFlow, redis_url: str) -> None:
    flow.feed("taps", "p0", {0: tap(NOON)})
    flow.commit()
    winner = again(redis_url)
    flow.feed("taps", "p0", {1: tap(NOON)})
    with pytest.raises(Fenced, match="another flow took over partition 'p0'"):
        flow.commit()
    winner.feed("taps", "p0", {1: tap(NOON)})
    winner.commit()
    assert counts(redis_url, user="u")["taps_10d"] == 2


def test_what_was_committed_though_the_reply_was_lost_is_in_the_summary(
    flow: HandFlow, monkeypatch: pytest.MonkeyPatch
) -> None:
    flow.feed("taps", "p0", {0: tap(NOON), 1: tap(NOON)})
    flow.die_after_units(1, monkeypatch)
    flow.take_over(SOURCES)
    flow.feed("taps", "p0", {0: tap(NOON), 1: tap(NOON), 2: tap(NOON)})
    flow.commit()
    assert dict(flow.writer.summary.counts) == {"read": 3, "applied": 3}


def test_a_late_event_does_not_shorten_the_life_of_a_row(flow: HandFlow, redis_url: str) -> None:
    day = 86_400 * SECOND
    flow.feed("taps", "p0", {n: tap(NOON) for n in range(6)})
    flow.commit()
    restarted = again(redis_url)
    restarted.feed("taps", "p0", {6: tap(NOON - 9 * day)})
    restarted.commit()
    with redis.Redis.from_url(redis_url) as store:
        (row,) = store.keys("*by_user@*:u")
        assert store.pttl(row) > 10 * day // 1000


def test_a_row_that_was_deleted_under_a_running_flow_still_expires(
    flow: HandFlow, redis_url: str
) -> None:
    with redis.Redis.from_url(redis_url) as store:
        flow.feed("taps", "p0", {0: tap(NOON)})
        flow.commit()
        (row,) = store.keys("*by_user@*:u")
        store.delete(row)
        flow.feed("taps", "p0", {1: tap(NOON)})
        flow.commit()
        assert store.pttl(row) > 0


def test_rows_live_on_when_the_clock_of_the_flow_is_wrong(redis_url: str) -> None:
    year = 365 * 86_400 * SECOND
    past = again(redis_url, now_us=NOON - 10 * year)
    past.feed("taps", "p0", {n: tap(NOON - 10 * year) for n in range(3)})
    past.commit()
    with redis.Redis.from_url(redis_url) as store:
        (row,) = store.keys("*by_user@*:u")
        assert store.pttl(row) > 10 * 86_400 * 1000


def test_an_event_ahead_of_the_clock_does_not_expire_before_its_time_comes(redis_url: str) -> None:
    ahead = replace(taps, clock_skew="1d")
    short = replace(by_user, stream=ahead, windows=["10m"])
    flow = again(redis_url, catalog(short))
    flow.feed("taps", "p0", {0: tap(NOON + 86_400 * SECOND)})
    flow.commit()
    flow.writer.close()
    with redis.Redis.from_url(redis_url) as store:
        (row,) = store.keys("*by_user@*:u")
        assert store.pttl(row) > (86_400 + 600) * 1000


def test_what_has_its_own_clock_outlasts_a_week_in_which_nothing_comes(redis_url: str) -> None:
    of_events = replace(by_user, windows=["10m"], clock="event")
    flow = again(redis_url, catalog(of_events))
    flow.feed("taps", "p0", {0: tap(NOON)})
    flow.commit()
    flow.writer.close()
    with redis.Redis.from_url(redis_url) as store:
        (row,) = store.keys("*by_user@*:u")
        assert store.pttl(row) > 7 * 86_400 * 1000


def test_the_newest_event_time_never_falls(flow: HandFlow, redis_url: str) -> None:
    with redis.Redis.from_url(redis_url) as store:
        for offset, at in enumerate((NOON, NOON - SECOND)):
            flow.feed("taps", "p0", {offset: tap(at)})
            flow.commit()
            assert int(store.hget("{fs:taps}!counts", "newest_us")) == NOON


def test_dead_letters_that_are_let_go_are_counted(redis_url: str) -> None:
    flow = HandFlow(redis_url, BOTH, now_us=NOON, letters_kept=100)
    flow.take_over(SOURCES)
    flow.feed("taps", "p0", {n: {"user": n} for n in range(1000)})
    flow.commit()
    with redis.Redis.from_url(redis_url) as store:
        left = store.xlen("{fs:taps}!dead")
    assert left < 300
    assert ledger(redis_url) == {"read": 1000, "invalid": 1000, "trimmed": 1000 - left}


def test_a_flow_that_has_nothing_to_commit_notices_that_it_was_taken_over(
    flow: HandFlow, redis_url: str
) -> None:
    flow.writer.idle()
    again(redis_url)
    flow.writer._checked_us = 0
    with pytest.raises(Fenced):
        flow.writer.idle()


@pytest.mark.parametrize("key", ["!dead", "!counts", "!judged", "!progress", "!watermarks"])
def test_a_foreign_value_in_the_ledger_is_refused_before_anything_is_read(
    redis_url: str, key: str
) -> None:
    with redis.Redis.from_url(redis_url) as store:
        store.set("{fs:taps}" + key, "what another program keeps here")
    with pytest.raises(StoreRefused, match="another program uses a key that starts with"):
        again(redis_url)


def test_a_foreign_value_under_a_row_ends_the_flow_and_costs_no_event(redis_url: str) -> None:
    events = {n: tap(NOON - n, 10, who=f"u{n}") for n in range(5)}
    row = row_key([view_tag(by_user, 0)], b"u3")
    with redis.Redis.from_url(redis_url) as store:
        store.lpush(row, "what another program keeps here")
        first = again(redis_url)
        first.feed("taps", "p0", events)
        with pytest.raises(StoreRefused, match="u3' holds no row"):
            first.commit()
        first.writer.close()
        store.delete(row)
    second = again(redis_url)
    second.feed("taps", "p0", events)
    second.commit()
    assert [counts(redis_url, user=f"u{n}")["taps_10d"] for n in range(5)] == [1] * 5
    assert counts(redis_url, shop="s") == {"taps_10d": 5, "cents_10d": 50}


def test_the_summary_counts_once_what_a_store_that_lost_its_tail_takes_again(
    flow: HandFlow, redis_url: str
) -> None:
    events = {n: tap(NOON - n) for n in range(9)}
    flow.feed("taps", "p0", dict(list(events.items())[:4]))
    flow.commit()
    with redis.Redis.from_url(redis_url) as store:
        before = {key: store.dump(key) for key in store.scan_iter()}
        flow.feed("taps", "p0", dict(list(events.items())[4:]))
        flow.commit()
        store.flushall()
        for key, dumped in before.items():
            store.restore(key, 0, dumped)
    assert flow.take_over(SOURCES)["taps", "p0"][0] == 3
    flow.feed("taps", "p0", dict(list(events.items())[4:]))
    flow.commit()
    assert counts(redis_url, user="u")["taps_10d"] == 9
    assert ledger(redis_url) == {"read": 9, "applied": 9}
    assert flow.writer.summary.counts == {"read": 9, "applied": 9}
