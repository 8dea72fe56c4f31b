"""Payments looked up in profiles, and what plain Python finds in them."""

from bisect import bisect_right
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from pydantic import BaseModel

from featurestore import (
    Entity,
    FeatureService,
    FeatureView,
    Latest,
    Stream,
    last,
)

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


class Profile(BaseModel):
    user: str
    tier: str
    country: str | None = None
    limit: float = 0.0
    at: datetime


class Payment(BaseModel):
    payment_id: str
    payer: str
    payee: str = "nobody"
    amount: float = 1.0
    at: datetime


profiles = Stream("profiles", contract=Profile, event_time="at")


def profile(**options: Any) -> Latest:
    given = {"stream": profiles, "key": "user", "columns": ["tier", "country", "limit"]}
    return Latest("profile", **{**given, **options})


def payments(**options: Any) -> Stream:
    return Stream("payments", contract=Payment, event_time="at", event_id="payment_id", **options)


def service(of: Stream) -> FeatureService:
    """Serve what the last payment found, and a total by country."""
    found = {name: last(name) for name in of.columns if "." in name}
    one = FeatureView(
        "one",
        stream=of,
        entity=Entity("payment", keys=["payment_id"]),
        windows=["1h"],
        features=found,
    )
    return FeatureService("s", features=[one])


DEFINITIONS = """
from featurestore import Entity, FeatureService, FeatureView, column, count, counts_by, total
from tests.enrichment import profiles as given

profile = given.profile()
payments = given.payments(
    enrich=[profile.on("payer")], derive={"rich": column("profile.limit") > 100}
)
service = given.service(payments)
by_country = FeatureView("by_country", stream=payments, windows=["30d"],
                         entity=Entity("country", keys=["profile.country"]),
                         features={"n": count(), "spent": total("amount"),
                                   "tiers": counts_by("profile.tier")})
countries = FeatureService("countries", features=[by_country])
"""


def at(minutes: float) -> datetime:
    return NOON + timedelta(minutes=minutes)


def update(user: str, minutes: float, tier: str, **values: Any) -> dict[str, Any]:
    return {"user": user, "tier": tier, "at": at(minutes).isoformat(), **values}


def payment(number: int, payer: str, minutes: float, **values: Any) -> dict[str, Any]:
    moment = at(minutes).isoformat()
    return {"payment_id": f"p{number}", "payer": payer, "at": moment, **values}


class Oracle:
    """The newest profile at a moment: the last in a sorted list that is not after it."""

    def __init__(self, updates: Iterable[Mapping[str, Any]]) -> None:
        self.known: dict[str, list[tuple[datetime, Mapping[str, Any]]]] = {}
        for event in updates:
            moment = datetime.fromisoformat(event["at"])
            self.known.setdefault(event["user"], []).append((moment, event))
        for of in self.known.values():
            of.sort(key=lambda pair: pair[0])

    def found(self, user: str, moment: str | datetime, column: str) -> Any:
        moment = datetime.fromisoformat(moment) if isinstance(moment, str) else moment
        of = self.known.get(user, [])
        place = bisect_right([when for when, _ in of], moment)
        return of[place - 1][1].get(column) if place else None
