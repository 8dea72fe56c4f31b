"""What every ingest benchmark computes: five aggregations over three windows."""

from datetime import datetime

from pydantic import BaseModel

from featurestore import (
    Entity,
    FeatureService,
    FeatureView,
    Stream,
    count,
    maximum,
    mean,
    minimum,
    total,
)


class Payment(BaseModel):
    """A payment of 150 bytes as JSON."""

    event_id: str
    user_id: str
    merchant_id: str
    amount: float
    channel: str
    at: datetime


payments = Stream("payments", contract=Payment, event_time="at", event_id="event_id")
user_spend = FeatureView(
    "user_spend",
    stream=payments,
    entity=Entity("user", keys=["user_id"]),
    windows=["1m", "1h", "24h"],
    features={
        "payments": count(),
        "spent": total("amount"),
        "average": mean("amount"),
        "smallest": minimum("amount"),
        "largest": maximum("amount"),
    },
)
ten = FeatureService(
    "ten",
    features=[
        user_spend.select(
            *(
                f"{name}_{window}"
                for name in ("payments", "spent", "average")
                for window in ("1m", "1h", "24h")
            ),
            "largest_24h",
        )
    ],
)
all_features = FeatureService("all", features=[user_spend])
