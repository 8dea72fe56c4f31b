"""Is this payment fraud? What a model asks while the card is in the reader.

The classic features: velocity (how many, how much, how fast, by card, user and merchant), spread
(how many merchants, countries, cards), trouble (how many declined), and what is usual, to hold the
amount against; where the user lives comes from a second stream.
"""

from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, Field

from featurestore import (
    Entity,
    FeatureService,
    FeatureView,
    Latest,
    Reference,
    Stream,
    column,
    count,
    decayed_count,
    distinct,
    first,
    hour_of_day,
    last,
    last_n_events,
    lifetime,
    maximum,
    mean,
    minimum,
    most_frequent,
    on_demand,
    ratio,
    session,
    std,
    time_since_last,
    total,
)


class Payment(BaseModel):
    """The contract of the stream: what the payment gateway promises."""

    payment_id: str
    user_id: str
    card_id: str
    merchant_id: str
    amount: Annotated[float, Field(gt=0, lt=1_000_000)]
    currency: Literal["EUR", "USD", "GBP"]
    status: Literal["approved", "declined"]
    paid_at: datetime


class Profile(BaseModel):
    """The contract of the other stream: what a user says of himself, each time it changes."""

    user_id: str
    home: Annotated[str, Field(min_length=2, max_length=2)]  # a country
    since: datetime


EUROS = {"EUR": 1.0, "USD": 0.92, "GBP": 1.17}
SMALL = 5.0  # euros: what whoever tests a stolen card begins with

merchants = Reference(
    "merchants",
    source=Path(__file__).with_name("merchants.csv"),
    key="merchant_id",
    columns={"category": str, "country": str, "online": bool},
)

# Where the user lived at the moment of the payment, not where he has moved since.
profiles = Stream("profiles", contract=Profile, event_time="since")
profile = Latest("profile", stream=profiles, key="user_id", columns=["home"])

# A gateway that got no answer sends again: the same payment_id within a day is the same payment.
payments = Stream(
    "payments",
    contract=Payment,
    event_time="paid_at",
    event_id="payment_id",
    dedupe="24h",
    enrich=[merchants.on("merchant_id"), profile.on("user_id")],
    derive={
        "euros": column("amount") * column("currency").map(EUROS),
        "declined": column("status") == "declined",
        "small": column("euros") < SMALL,
        "night": column("paid_at").hour("Europe/Paris") < 6,  # noqa: PLR2004 - six o'clock
        "abroad": column("merchants.country") != column("profile.home"),
    },
)

card = Entity("card", keys=["card_id"])
user = Entity("user", keys=["user_id"])
merchant = Entity("merchant", keys=["merchant_id"])

card_velocity = FeatureView(
    "card_velocity",
    stream=payments,
    entity=card,
    windows=["10m", "1h", "24h"],
    features={
        "payments": count(),
        "spent": total("euros"),
        "smallest": minimum("euros"),
        "small": count(where=column("small")),
        "declined": mean("declined"),
        "merchants": distinct("merchant_id"),
        "countries": distinct("merchants.country"),
        "online": mean("merchants.online"),
        "silence": time_since_last(),
        "last_paid_at": last("paid_at"),
        "last_category": last("merchants.category"),
    },
)

# A card that is tried comes in bursts: the session under way, and the last five however long ago.
card_streak = FeatureView(
    "card_streak",
    stream=payments,
    entity=card,
    windows=[session("30m"), last_n_events(5)],
    features={
        "payments": count(),
        "spent": total("euros"),
        "declined": mean("declined"),
        "rise": ratio(maximum("euros"), mean("euros")),
    },
)

# What is usual for a user: an amount is odd when it is many spreads away from the mean.
user_habits = FeatureView(
    "user_habits",
    stream=payments,
    entity=user,
    windows=["1h", "24h", "7d"],
    features={
        "payments": count(),
        "spent": total("euros", where=~column("declined")),
        "average": mean("euros"),
        "spread": std("euros"),
        "largest": maximum("euros"),
        "cards": distinct("card_id"),
        "night": mean("night"),
        "abroad": mean("abroad"),
        "usual_merchants": most_frequent("merchant_id", 1),
        "recent": decayed_count(half_life="1h"),
    },
)

user_ever = FeatureView(
    "user_ever",
    stream=payments,
    entity=user,
    windows=[lifetime(name="ever")],
    features={"first_seen": first("paid_at"), "payments": count()},
)

merchant_pressure = FeatureView(
    "merchant_pressure",
    stream=payments,
    entity=merchant,
    windows=["10m", "1h", "24h"],
    features={
        "payments": count(),
        "spent": total("euros"),
        "average": mean("euros"),
        "declined": mean("declined"),
        "cards": distinct("card_id"),
    },
)

fraud = FeatureService(
    "fraud_v1",
    features=[
        card_velocity.prefix("card_"),
        card_streak.prefix("card_"),
        user_habits.prefix("user_"),
        user_ever.prefix("user_"),
        merchant_pressure.prefix("merchant_"),
    ],
)


Arrays = Mapping[str, npt.NDArray[np.float64]]


@on_demand(
    inputs=[user_habits.select("average_7d", "spread_7d")],
    context={"euros": float},
    returns={"times_average": float, "spreads_away": float},
)
def unusual(features: Arrays, context: Arrays) -> Arrays:
    """Hold the amount, which is known only now, against what is usual for the user."""
    away = context["euros"] - features["average_7d"]
    return {
        "times_average": context["euros"] / features["average_7d"],
        "spreads_away": away / np.maximum(features["spread_7d"], 1.0),
    }


# With the payment at hand: what the model is really asked.
fraud_now = FeatureService("fraud_now_v1", features=[fraud, unusual, hour_of_day("Europe/Paris")])
