"""The example of New York departures: its data, and its features against pandas."""

import math
from pathlib import Path

import pandas as pd
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from examples.flights.make_data import DEPARTURES, MONTHS, departures, raw_flights
from featurestore import Catalog, load
from featurestore.aggregation.windows import Value
from featurestore.client import Client
from featurestore.definitions.view import FeatureView
from flows.main import Job, run_worker

DEFINITIONS = str(DEPARTURES.parent / "features.py")
HALF, END = pd.Timestamp("2013-03-11T15:00:30Z"), pd.Timestamp("2013-04-01T05:00:00Z")
ENTITIES = [
    {"tailnum": "N228JB", "carrier": "B6", "origin": "JFK", "dest": "BTV"},
    {"tailnum": "N725MQ", "carrier": "MQ", "origin": "LGA", "dest": "CRW"},
    {"tailnum": "N14228", "carrier": "UA", "origin": "EWR", "dest": "IAH"},
    {"tailnum": "N380HA", "carrier": "HA", "origin": "JFK", "dest": "HNL"},
    {"tailnum": "nobody", "carrier": "ZZ", "origin": "EWR", "dest": "XYZ"},
]
MEASURES = {
    "flights": ("dep_delay", "size"),
    "miles": ("distance", "sum"),
    "delay": ("dep_delay", "mean"),
    "last_origin": ("origin", "last"),
    "last_delay": ("dep_delay", "last"),
    "last_airports": ("origin", "last three"),
    "rested": ("departed_at", "since"),
    "departures": ("dep_delay", "size"),
    "late_share": ("late", "mean"),
    "queue_delay": ("dep_delay", "mean"),
    "worst_delay": ("dep_delay", "max"),
    "carriers": ("carrier", "nunique"),
    "by_carrier": ("carrier", "counts"),
    "route_flights": ("dep_delay", "size"),
    "route_delay": ("dep_delay", "mean"),
    "route_spread": ("dep_delay", "spread"),
    "route_typical": ("dep_delay", "middle"),
    "arrivals": ("arr_delay", "count"),
    "arrival_delay": ("arr_delay", "mean"),
    "arrived_late": ("arrived_late", "mean"),
}


def pandas_value(events: pd.DataFrame, measure: str, now: pd.Timestamp) -> Value:
    """Compute a measure of the events in its window, without any code of the library."""
    name, how = MEASURES[measure]
    values = events[name].dropna()
    if how in ("size", "count"):
        return len(values)
    if values.empty:
        return None
    if how == "since":
        return (now - values.max()).total_seconds()
    if how == "counts":
        return dict(values.value_counts())
    if how == "middle":
        return float(sorted(values)[(len(values) - 1) // 2])
    if how == "last three":
        newest = events.sort_values(["departed_at", name], ascending=False)
        return newest[name].head(3).tolist()
    if how == "nunique":
        return values.nunique()
    if how == "last":
        newest = events[events["departed_at"] == events["departed_at"].max()]
        return newest[name].max()
    return float(values.std(ddof=0) if how == "spread" else getattr(values, how)())


def same(got: Value, expected: Value) -> bool:
    if isinstance(expected, float) and isinstance(got, float):
        return math.isclose(got, expected, rel_tol=1e-9, abs_tol=1e-9)
    return got == expected and type(got) is type(expected)


def differences(
    events: pd.DataFrame, view: FeatureView, vector: dict[str, Value], now: pd.Timestamp
) -> list[str]:
    """Return the windows of a view that no cut allowed by the rules explains.

    A row within its record budget is cut exactly at the window's tail; a busier one anywhere
    within one hop of it, at one place for all measures.
    """
    wrong = []
    for window in view.parsed_windows:
        until = now - pd.Timedelta(window.offset_us, "us")
        tail = until - pd.Timedelta(window.width_us, "us")
        hop = pd.Timedelta(window.hop_us, "us")
        times = events["departed_at"]
        is_exact = len(events[times > now - pd.Timedelta(view.horizon_us, "us")]) < 100
        near = times[(times > tail - hop) & (times <= tail + hop)].tolist()
        tails = [tail] if is_exact else [tail, *near, tail - hop]
        names = list(view.features)
        got = [vector[f"{name}_{window.name}"] for name in names]
        if not any(
            all(same(g, pandas_value(seen, n, until)) for g, n in zip(got, names, strict=True))
            for seen in (events[(times > cut) & (times <= until)] for cut in tails)
        ):
            wrong.append(
                f"{view.name} {window.name} at {now}: {dict(zip(names, got, strict=True))}"
            )
    return wrong


def run(path: Path, url: str) -> int:
    """Run the flow to the end of a file; return how many events it applied."""
    job = Job(DEFINITIONS, [("departures", str(path))], url, until_end=True)
    return run_worker(job).counts["applied"]


@pytest.fixture(scope="module")
def flights() -> pd.DataFrame:
    frame = pq.read_table(DEPARTURES).to_pandas()
    late = frame["arr_delay"].ge(15).astype(float).where(frame["arr_delay"].notna())
    return frame.assign(late=frame["dep_delay"].ge(15).astype(float), arrived_late=late)


@pytest.fixture
def catalog() -> Catalog:
    return load(DEFINITIONS)


def test_features_equal_what_pandas_computes(
    catalog: Catalog, flights: pd.DataFrame, redis_url: str, tmp_path: Path
) -> None:
    table, path = pq.read_table(DEPARTURES), tmp_path / "departures.parquet"
    half = table.filter(pc.field("departed_at") <= pc.scalar(HALF.to_pydatetime()))
    wrong = []
    for part, moments in (
        (half, [HALF, HALF + pd.Timedelta("7m"), HALF + pd.Timedelta("2h")]),
        (table, [END, END + pd.Timedelta("5h"), END + pd.Timedelta(20, "D")]),
    ):
        pq.write_table(part, path)
        run(path, redis_url)
        seen = flights.head(part.num_rows)
        with Client(catalog, redis_url) as client:
            for now in moments:
                vectors = client.get_many("delay_risk_v1", ENTITIES, as_of=now.to_pydatetime())
                for entity, vector in zip(ENTITIES, vectors, strict=True):
                    for view in catalog.service("delay_risk_v1").views:
                        is_its = [seen[key] == entity[key] for key in view.entity.keys]
                        own = seen[pd.concat(is_its, axis=1).all(axis=1)]
                        wrong += differences(own, view, vector, now)
    assert wrong == []


def test_a_longer_version_of_the_file_is_counted_once(redis_url: str, tmp_path: Path) -> None:
    table, path = pq.read_table(DEPARTURES), tmp_path / "departures.parquet"
    pq.write_table(table.slice(0, 1000), path)
    assert run(path, redis_url) == 1000
    pq.write_table(table.slice(0, 1500), path)
    assert run(path, redis_url) == 500


def test_the_shipped_file_is_what_the_script_makes(flights: pd.DataFrame) -> None:
    raw = raw_flights()
    made = departures(raw[raw["month"].isin(MONTHS)]).reset_index(drop=True)
    shipped = flights[list(made.columns)]
    pd.testing.assert_frame_equal(shipped, made, check_dtype=False)


def test_times_are_converted_from_the_clock_of_new_york_across_dst() -> None:
    raw = raw_flights()
    flown = departures(raw)
    published = raw.assign(hour_utc=pd.to_datetime(raw["time_hour"]))  # as the source has it, UTC
    published = published[published["dep_delay"].notna()]
    hours = flown.join(published["hour_utc"])
    assert (hours["sched_dep_time"].dt.floor("h") == hours["hour_utc"]).all()
    assert flown["flight_id"].is_unique
    assert flown["departed_at"].is_monotonic_increasing


def test_a_delay_is_added_to_the_instant_and_not_to_the_clock() -> None:
    row = {"year": 2013, "month": 3, "day": 10, "hour": 1, "minute": 30, "dep_delay": 45.0}
    names = {"carrier": "B6", "flight": 1, "tailnum": "N1", "origin": "JFK", "dest": "BOS"}
    frame = pd.DataFrame([row | names | {"arr_delay": 0.0, "distance": 187}])
    assert departures(frame)["departed_at"].tolist() == [pd.Timestamp("2013-03-10T07:15:00Z")]
