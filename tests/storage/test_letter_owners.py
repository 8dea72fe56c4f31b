"""Whom dead letters are about, by keys as they were sent, derived, changed and looked up."""

from collections.abc import Callable
from contextlib import closing
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any
from uuid import UUID

import orjson
import pyarrow as pa
import pyarrow.compute as pc
import pytest
import redis
from pydantic import BaseModel, Field

from featurestore import Reference, Stream, column
from featurestore.storage.dead_letters import DeadLetters
from featurestore.storage.letter_owners import LetterOwners
from featurestore.storage.replays import Replays
from tests.storage.test_erasure import run

NOON = "2026-01-31T12:00:00Z"


class Owner(BaseModel):
    email: str


class Payment(BaseModel):
    owner: Owner
    shop: int
    amount: Annotated[float, Field(ge=0)]
    at: datetime


def lowered(events: pa.RecordBatch) -> pa.RecordBatch:
    emails = pc.utf8_lower(events.column("owner.email"))
    return events.append_column("user", emails)


def in_place(events: pa.RecordBatch) -> pa.RecordBatch:
    """Change the key itself; of no use where there is no amount."""
    if pc.any(pc.is_null(events.column("amount"))).as_py():
        raise ValueError
    place = events.schema.get_field_index("owner.email")
    return events.set_column(place, "owner.email", pc.utf8_lower(events.column(place)))


def stream(**more: Any) -> Stream:
    return Stream("payments", contract=Payment, event_time="at", **more)


DERIVED = LetterOwners(stream(derive={"user": column("owner.email").lower()}), ["user"])
MADE = LetterOwners(stream(transforms=[lowered], where=column("shop") > 5), ["user"])
CHANGED = LetterOwners(stream(transforms=[in_place]), ["owner.email"])
SENT = LetterOwners(stream(), ["owner.email"])
BOTH = LetterOwners(stream(derive={"user": column("owner.email").lower()}), ["user", "shop"])


def payment(email: Any = "A@x.org", **more: Any) -> bytes:
    sent = {"owner": {"email": email}, "shop": 1, "amount": 1.0, "at": NOON}
    return orjson.dumps(sent | more)


LETTERS: dict[str, tuple[LetterOwners, bytes, dict[str, Any], bool | None]] = {
    "derived, of a late event": (DERIVED, payment(), {"user": "a@x.org"}, True),
    "derived, of another": (DERIVED, payment("B@x.org"), {"user": "a@x.org"}, False),
    "derived, of a broken event": (DERIVED, payment(amount="x"), {"user": "a@x.org"}, True),
    "derived of a broken field": (DERIVED, payment(7), {"user": "a@x.org"}, None),
    "derived, of no JSON": (DERIVED, b'{"email": "a@x.org', {"user": "a@x.org"}, True),
    "derived, of unknown JSON": (DERIVED, b'{"email": "A@x.org', {"user": "a@x.org"}, None),
    "derived, of an array": (DERIVED, b"[1]", {"user": "a@x.org"}, None),
    "made, of a filtered event": (MADE, payment(), {"user": "a@x.org"}, True),
    "made, of a broken event": (MADE, payment(amount=-1), {"user": "a@x.org"}, True),
    "changed, of a late event": (CHANGED, payment(), {"owner.email": "a@x.org"}, True),
    "changed, as it was sent": (CHANGED, payment(), {"owner.email": "A@x.org"}, False),
    "changed, the transform fails": (CHANGED, payment(amount=[]), {"owner.email": "a@x.org"}, None),
    "sent": (SENT, payment(amount="x"), {"owner.email": "A@x.org"}, True),
    "sent, of another": (SENT, payment(amount="x"), {"owner.email": "a@x.org"}, False),
    "sent, of nobody": (SENT, b"{}", {"owner.email": "a@x.org"}, False),
    "sent, null": (SENT, b"null", {"owner.email": "a@x.org"}, False),
    "two keys": (BOTH, payment(amount="x"), {"user": "a@x.org", "shop": 1}, True),
    "two keys, one as text": (
        BOTH,
        payment(shop="1", amount="x"),
        {"user": "a@x.org", "shop": 1},
        True,
    ),
    "two keys, one is another": (BOTH, payment(7, shop=2), {"user": "a@x.org", "shop": 1}, False),
    "two keys, one unknown": (BOTH, payment(7), {"user": "a@x.org", "shop": 1}, None),
}


@pytest.mark.parametrize("name", LETTERS)
def test_a_letter_is_about_who_its_key_says_or_nobody_can_tell(name: str) -> None:
    owners, letter, values, about = LETTERS[name]
    assert owners.about([letter], values) == [about]


class Visit(BaseModel):
    user: Annotated[UUID, Field(alias="userId")]
    seconds: float
    at: datetime


def test_a_key_is_what_the_contract_makes_of_it_in_a_broken_event_too() -> None:
    owners = LetterOwners(Stream("visits", contract=Visit, event_time="at"), ["user"])
    user = "abcdef00-0000-0000-0000-000000000001"
    letters = [
        orjson.dumps({"userId": sent, "seconds": "many", "at": NOON})
        for sent in (user, user.upper(), user.replace("1", "2"))
    ]
    assert owners.about(letters, {"user": user}) == [True, True, False]


def test_letters_of_a_page_do_not_disturb_each_other() -> None:
    cases = [(letter, about) for of, letter, _, about in LETTERS.values() if of is DERIVED]
    together = DERIVED.about([letter for letter, _ in cases], {"user": "a@x.org"})
    assert together == [about for _, about in cases]


def test_a_key_that_is_looked_up_is_never_told(tmp_path: Path) -> None:
    shops = Reference(
        "shops", source=str(tmp_path / "s.csv"), key="id", key_type=int, columns={"city": str}
    )
    owners = LetterOwners(stream(enrich=[shops.on("shop")]), ["shops.city"])
    assert owners.about([payment(), payment(amount="x")], {"shops.city": "Rome"}) == [None, None]


DEFINITIONS = """
from datetime import datetime
from pydantic import BaseModel
from featurestore import Entity, FeatureView, Stream, column, count

class Payment(BaseModel):
    email: str
    amount: float
    at: datetime

payments = Stream("payments", contract=Payment, event_time="at",
                  derive={"user": column("email").lower()})
view = FeatureView("v", stream=payments, entity=Entity("user", keys=["user"]), windows=["1d"],
                   features={"n": count()})
"""


@pytest.fixture
def letters(redis_url: str) -> Callable[..., list[bytes]]:
    def kept(*raws: str) -> list[bytes]:
        letter = {"partition": "p", "offset": "9", "reason": "invalid", "detail": "", "at": "0"}
        with redis.Redis.from_url(redis_url) as store:
            for raw in raws:
                store.xadd("{fs:payments}!dead", {**letter, "raw": raw})
            return [fields[b"raw"] for _, fields in store.xrange("{fs:payments}!dead")]

    return kept


def test_forget_takes_them_and_says_how_many_it_had_to_leave(
    redis_url: str, tmp_path: Path, letters: Callable[..., list[bytes]]
) -> None:
    (tmp_path / "features.py").write_text(DEFINITIONS)
    letters('{"email": "U1", "amount": "x"}', '{"email": "U2", "amount": "x"}', '{"email": 7}')
    done = run(redis_url, "forget", str(tmp_path / "features.py"), "user", "user=u1")
    assert done.stdout == "forgotten: rows 0, dead letters 1\n"
    assert done.stderr.startswith("left: dead letters 1, of which nobody can tell")
    assert letters() == [b'{"email": "U2", "amount": "x"}', b'{"email": 7}']


def test_forget_says_that_a_replay_holds_some_that_it_has_not_counted_yet(
    redis_url: str, tmp_path: Path, letters: Callable[..., list[bytes]]
) -> None:
    (tmp_path / "features.py").write_text(DEFINITIONS)
    letters('{"email": "U1", "amount": "x"}')
    with closing(Replays(redis_url, "payments")) as replays:
        (taken,) = DeadLetters(redis_url).newest("payments", 1)
        replays.take(replays.begin(), {taken.id: taken.raw}, [])  # and killed
    done = run(redis_url, "forget", str(tmp_path / "features.py"), "user", "user=u1")
    assert done.stdout == "forgotten: rows 0, dead letters 0\n"
    assert "left: dead letters of stream 'payments' that a replay has taken" in done.stderr
