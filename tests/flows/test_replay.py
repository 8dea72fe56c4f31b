"""Dead letters are replayed, and count once whatever happens."""

from dataclasses import replace
from typing import Any

import orjson
import pytest
import redis

from featurestore.definitions.catalog import Catalog
from featurestore.errors import StoreUnreachable
from featurestore.storage.commit import Unit
from featurestore.storage.dead_letters import DeadLetter, DeadLetters
from featurestore.storage.replays import Replays
from flows.replay import Replay
from tests.flows.test_exactly_once import BOTH, NOON, ONE, again, counts, ledger, tap
from tests.hand_flow import SECOND

HOUR = 3600 * SECOND
KILLED = StoreUnreachable("here", "killed")


def with_letters(url: str, of: Catalog = BOTH) -> None:
    """One event applied, one from the future, two broken."""
    flow = again(url, of)
    broken = {**tap(NOON), "cents": "many"}
    flow.feed("taps", "p0", {0: tap(NOON), 1: tap(NOON + HOUR), 2: broken, 3: {"user": "u"}})
    flow.commit()
    flow.writer.close()


def every(letter: DeadLetter) -> bool:
    return True


def as_it_is(letter: DeadLetter) -> bytes:
    return letter.raw


def mended(letter: DeadLetter) -> bytes | None:
    event = orjson.loads(letter.raw)
    return orjson.dumps({**event, "cents": 1}) if "cents" in event else None


def replay(
    url: str, chosen: Any = every, mend: Any = as_it_is, of: Catalog = BOTH
) -> dict[str, int]:
    stream = of.stream("taps")
    done = Replay(of, stream, url, lambda: NOON + 2 * HOUR).run(chosen, mend)
    return dict(done.counts)


def letters(url: str) -> list[DeadLetter]:
    return DeadLetters(url).newest("taps", 100)


def test_what_is_in_order_now_counts_and_the_rest_stays(redis_url: str) -> None:
    with_letters(redis_url)
    assert replay(redis_url) == {"applied": 1, "invalid": 2}
    assert counts(redis_url, user="u")["taps_10d"] == 2
    assert [(letter.partition, letter.offset) for letter in letters(redis_url)] == [
        ("p0", 3),
        ("p0", 2),
    ]
    assert letters(redis_url)[0].replay == "dead-letters/1:3"


def test_replaying_twice_counts_once_and_leaves_nothing_behind(redis_url: str) -> None:
    with_letters(redis_url)
    for _ in range(3):
        replay(redis_url)
    with redis.Redis.from_url(redis_url) as store:
        hashes = [key for key in store.scan_iter() if store.type(key) == b"hash"]
        fields = [field for key in hashes for field in store.hkeys(key)]
    assert not [field for field in fields if b"dead-letters" in field]
    assert counts(redis_url, user="u")["taps_10d"] == 2
    assert ledger(redis_url)["applied"] == 2
    assert len(letters(redis_url)) == 2


def test_only_those_chosen_in_any_order(redis_url: str) -> None:
    with_letters(redis_url)
    assert replay(redis_url, lambda letter: letter.reason == "invalid", mended) == {"applied": 1}
    assert replay(redis_url, lambda letter: letter.reason == "future") == {"applied": 1}
    assert counts(redis_url, user="u") == {"taps_10d": 3, "cents_10d": 3}
    assert [letter.offset for letter in letters(redis_url)] == [3]


def test_the_event_itself_is_not_counted_when_it_is_read_again_after_its_letter_was_replayed(
    redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    events = {0: tap(NOON), 1: tap(NOON + HOUR)}
    flow = again(redis_url)
    flow.feed("taps", "p0", events)
    flow.die_after_units(1, monkeypatch)  # the letter is kept, no view has anything
    replay(redis_url)
    restarted = again(redis_url, now_us=NOON + 2 * HOUR)
    restarted.feed("taps", "p0", events)
    restarted.commit()
    assert counts(redis_url, user="u")["taps_10d"] == 2
    assert counts(redis_url, shop="s")["taps_10d"] == 2


def test_a_view_made_later_takes_the_event_itself(redis_url: str) -> None:
    with_letters(redis_url, ONE)
    replay(redis_url, of=ONE)
    both = again(redis_url, BOTH, now_us=NOON + 2 * HOUR)
    both.feed("taps", "p0", {0: tap(NOON), 1: tap(NOON + HOUR)})
    both.commit()
    assert counts(redis_url, user="u")["taps_10d"] == 2
    assert counts(redis_url, shop="s")["taps_10d"] == 2


@pytest.mark.parametrize("at", range(9))
def test_a_replay_that_is_killed_anywhere_is_finished_by_the_next(
    redis_url: str, monkeypatch: pytest.MonkeyPatch, at: int
) -> None:
    """Die in the middle of the moves between the steps, and between the units."""
    with_letters(redis_url)
    steps: list[str] = []

    def dying(kind: type, name: str) -> None:
        real = getattr(kind, name)

        def step(*arguments: Any) -> Any:
            if len(steps) == at:
                raise KILLED
            steps.append(name)
            done = real(*arguments)
            if name == "send":
                arguments[0].wire.ask  # noqa: B018 - what was sent is done once it is read
                arguments[0].settle()
            return done

        monkeypatch.setattr(kind, name, step)

    for kind, name in ((Replays, "begin"), (Replays, "take"), (Unit, "send"), (Replays, "end")):
        dying(kind, name)
    try:
        replay(redis_url)
    except StoreUnreachable:
        pass
    else:
        assert len(steps) <= at
    monkeypatch.undo()
    replay(redis_url)
    replay(redis_url)
    assert counts(redis_url, user="u")["taps_10d"] == 2
    assert counts(redis_url, shop="s")["taps_10d"] == 2
    assert sorted(letter.offset for letter in letters(redis_url)) == [2, 3]
    assert ledger(redis_url)["applied"] == 2
    assert Replays(redis_url, "taps").unfinished() == {}


def test_a_letter_rejected_again_is_not_applied_when_its_replay_is_done_again_later(
    redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The ledger has it as a dead letter, the views have nothing; then it is no longer future."""
    with_letters(redis_url)
    send, sent = Unit.send, []

    def ledger_only(unit: Unit, *arguments: Any) -> None:
        sent.append(unit)
        if len(sent) > 1:
            raise KILLED
        send(unit, *arguments)
        unit.settle()

    early = Replay(BOTH, BOTH.stream("taps"), redis_url, lambda: NOON)
    with monkeypatch.context() as patch:
        patch.setattr(Unit, "send", ledger_only)
        with pytest.raises(StoreUnreachable):
            early.run(lambda letter: letter.reason in ("future", "invalid"), mended)
    assert [letter.reason for letter in letters(redis_url)] == ["future", "invalid"]
    replay(redis_url, lambda letter: False)
    assert counts(redis_url, user="u")["taps_10d"] == 2  # the first one, and the mended one
    replay(redis_url)
    assert counts(redis_url, user="u")["taps_10d"] == 3


def test_two_replays_at_once_do_not_share_a_letter(redis_url: str) -> None:
    with_letters(redis_url)
    (future,) = [letter for letter in letters(redis_url) if letter.reason == "future"]
    replays = Replays(redis_url, "taps")
    assert replays.take(replays.begin(), {future.id: future.raw}, []) == 1
    assert replays.take(replays.begin(), {future.id: future.raw}, []) == 0


def test_purged_letters_are_gone_and_counted(redis_url: str) -> None:
    with_letters(redis_url)
    dead = DeadLetters(redis_url)
    assert dead.purge("taps", [letter.id for letter in letters(redis_url)]) == 3
    assert letters(redis_url) == []
    assert dead.counts("taps") == {"invalid": 2, "future": 1, "purged": 3}


def test_a_letter_says_where_it_comes_from(redis_url: str) -> None:
    with_letters(redis_url)
    last = letters(redis_url)[0]
    assert replace(last, id="", detail="", at_us=0) == DeadLetter(
        "", "taps", "p0", 3, "invalid", "", b'{"user":"u"}', 0, "decode", ""
    )
    with redis.Redis.from_url(redis_url) as store:
        assert store.hgetall("{fs:taps}!judged") == {b"p0": b"%d" % NOON}
