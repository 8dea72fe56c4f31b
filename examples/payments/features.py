"""Is this payment fraud? What a model asks while the card is in the reader.

The classic features: velocity (how many, how much, how fast, by card, user and merchant), spread
(how many merchants, how many cards), trouble (how many declined), and what is usual, to hold the
amount against.
"""

from datetime import datetime
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, Field

from featurestore import (
    Entity,
    FeatureService,
    FeatureView,
    Reference,
    Stream,
    column,
    count,
    distinct,
    last,
    maximum,
    mean,
    minimum,
    std,
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


EUROS = {"EUR": 1.0, "USD": 0.92, "GBP": 1.17}
SMALL = 5.0  # euros: what whoever tests a stolen card begins with

merchants = Reference(
    "merchants",
    source=Path(__file__).with_name("merchants.csv"),
    key="merchant_id",
    columns={"category": str, "online": bool},
)

# A gateway that got no answer sends again: the same payment_id within a day is the same payment.
payments = Stream(
    "payments",
    contract=Payment,
    event_time="paid_at",
    event_id="payment_id",
    dedupe="24h",
    enrich=[merchants.on("merchant_id")],
    derive={
        "euros": column("amount") * column("currency").map(EUROS),
        "declined": column("status") == "declined",
        "small": column("euros") < SMALL,
        "night": column("paid_at").hour("Europe/Paris") < 6,  # noqa: PLR2004 - six o'clock
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
        "online": mean("merchants.online"),
        "last_paid_at": last("paid_at"),
        "last_category": last("merchants.category"),
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
    },
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
        user_habits.prefix("user_"),
        merchant_pressure.prefix("merchant_"),
    ],
)
