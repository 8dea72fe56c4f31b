"""What is known about a flight as it leaves the gate: departures from New York, 2013.

Every aircraft that leaves one of New York's three airports is an event. The model asks just before
the next one leaves: how likely is it to arrive late?
"""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import BaseModel, Field

from featurestore import (
    Entity,
    FeatureService,
    FeatureView,
    Stream,
    column,
    count,
    counts_by,
    distinct,
    last,
    last_n,
    maximum,
    mean,
    median,
    std,
    time_since_last,
    total,
)


class Departure(BaseModel):
    """The contract of the stream; delays in minutes, early is negative, distance in miles."""

    flight_id: str
    carrier: Annotated[str, Field(min_length=2, max_length=2)]
    flight: Annotated[int, Field(gt=0)]
    tailnum: str
    origin: Literal["EWR", "JFK", "LGA"]
    dest: Annotated[str, Field(min_length=3, max_length=3)]
    sched_dep_time: datetime
    departed_at: datetime
    dep_delay: float
    arr_delay: float | None  # none where the flight was diverted
    distance: Annotated[float, Field(gt=0)]


LATE = 15  # minutes, as the airlines count it

departures = Stream(
    "departures",
    contract=Departure,
    event_time="departed_at",
    event_id="flight_id",
    derive={"late": column("dep_delay") >= LATE, "arrived_late": column("arr_delay") >= LATE},
)

aircraft = Entity("aircraft", keys=["tailnum"])
route = Entity("route", keys=["origin", "dest"])
airport = Entity("airport", keys=["origin"])
carrier = Entity("carrier", keys=["carrier"])

aircraft_lately = FeatureView(
    "aircraft_lately",
    stream=departures,
    entity=aircraft,
    windows=["6h", "24h", "7d"],
    features={
        "flights": count(),
        "miles": total("distance"),
        "delay": mean("dep_delay"),
        "last_origin": last("origin"),
        "last_delay": last("dep_delay"),
        "last_airports": last_n("origin", 3),
        "rested": time_since_last(),
    },
)

airport_now = FeatureView(
    "airport_now",
    stream=departures,
    entity=airport,
    windows=["30m", "1h", "3h"],
    features={
        "departures": count(),
        "late_share": mean("late"),
        "queue_delay": mean("dep_delay"),
        "worst_delay": maximum("dep_delay"),
        "carriers": distinct("carrier"),
        "by_carrier": counts_by("carrier"),
    },
)

route_history = FeatureView(
    "route_history",
    stream=departures,
    entity=route,
    windows=["7d", "28d"],
    features={
        "route_flights": count(),
        "route_delay": mean("dep_delay"),
        "route_spread": std("dep_delay"),
        "route_typical": median("dep_delay"),
    },
)

# How late a flight arrives is not known when it departs: the longest ones land twelve hours later.
# An offset keeps the model from learning of what it will not know when it is asked.
carrier_arrivals = FeatureView(
    "carrier_arrivals",
    stream=departures,
    entity=carrier,
    windows=["1d", "7d"],
    offset="12h",
    features={
        "arrivals": count("arr_delay"),
        "arrival_delay": mean("arr_delay"),
        "arrived_late": mean("arrived_late"),
    },
)

delay_risk = FeatureService(
    "delay_risk_v1",
    features=[aircraft_lately, airport_now, route_history, carrier_arrivals],
)
