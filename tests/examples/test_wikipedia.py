"""The example of Wikipedia's edits: its features against pandas, and a hot robot within bounds."""

import gzip
import json
from datetime import timedelta
from typing import Any

import pandas as pd
import pytest

from examples.wikipedia.__main__ import HERE, by_hours
from featurestore.testing import Store

EDITS = HERE / "edits.jsonl.gz"
WIDTHS = {"10m": pd.Timedelta("10min"), "1h": pd.Timedelta("1h"), "24h": pd.Timedelta("24h")}
HOPS = {"10m": pd.Timedelta("10s"), "1h": pd.Timedelta("1min"), "24h": pd.Timedelta("20min")}
ROBOT = "TuanminhBot"
EXACT = 128  # edits in a row, as the views have it


@pytest.fixture(scope="module")
def edits() -> pd.DataFrame:
    with gzip.open(EDITS) as file:
        frame = pd.DataFrame(map(json.loads, file))
    frame["at"] = pd.to_datetime(frame["time"])
    frame["size"] = frame["delta"].clip(-10_000, 10_000)
    frame["talk"] = frame["namespace"].str.lower().str.contains("talk", regex=False)
    frame["undo"] = frame["comment"].str.contains("revert|undid|undo", case=False)
    frame["blanked"] = (frame["added"] == 0) & (frame["deleted"] > 1000)
    return frame.sort_values(["at", "user"], kind="stable")


@pytest.fixture(scope="module")
def store() -> Store:
    store = Store(str(HERE / "features.py"))
    assert store.feed("edits", EDITS) == {"read": 39199, "applied": 39199}
    return store


def of_page(e: pd.DataFrame) -> dict[str, Any]:
    newest = e[e["at"] == e["at"].max()]
    return {
        "edits": len(e),
        "editors": e["user"].nunique() or None,
        "undone": int(e["undo"].sum()),
        "blanked": int(e["blanked"].sum()),
        "anonymous": e["isAnonymous"].mean(),
        "growth": e["size"].sum() if len(e) else None,
        "largest_cut": e["delta"].min(),
        "last_user": max(newest["user"], key=str.encode, default=None),
    }


def of_user(e: pd.DataFrame) -> dict[str, Any]:
    newest = e[e["at"] == e["at"].max()]
    return {
        "edits": len(e),
        "pages": e["page"].nunique() or None,
        "wikis": e["channel"].nunique() or None,
        "robot": e["isRobot"].mean(),
        "talk": e["talk"].mean(),
        "minor": e["isMinor"].mean(),
        "size": e["size"].mean(),
        "largest": e["delta"].max(),
        "last_language": max(newest["channel"].str[1:3], default=None),
    }


def session_of(e: pd.DataFrame, now: pd.Timestamp) -> pd.DataFrame:
    """The edits before now that follow each other within half an hour, walked back from now."""
    before = e[e["at"] <= now].sort_values("at")
    gaps = pd.Series([*before["at"].iloc[1:], now], index=before.index) - before["at"]
    alive = (gaps <= pd.Timedelta("30min"))[::-1].cummin()[::-1].astype(bool)
    return before[alive]


def in_window(frame: pd.DataFrame, now: pd.Timestamp, window: str) -> pd.DataFrame:
    return frame[(frame["at"] > now - WIDTHS[window]) & (frame["at"] <= now)]


def agree(got: Any, expected: Any, name: object) -> None:
    if expected is None or pd.isna(expected):
        assert got is None, name
    elif isinstance(expected, str):
        assert got == expected, name
    else:
        assert got == pytest.approx(expected, rel=1e-9, abs=1e-9), name


def test_pages_and_people_are_what_pandas_makes_of_the_lines(
    edits: pd.DataFrame, store: Store
) -> None:
    busy = edits["user"].value_counts()
    people = edits[edits["user"].map(busy) <= EXACT]
    for n in range(0, len(people), 600):
        edit = people.iloc[n]
        now = edit["at"] + pd.Timedelta(seconds=n % 400)
        entity = {key: edit[key] for key in ("channel", "page", "user")}
        got = store.get("vandalism_v1", entity, as_of=now.to_pydatetime())
        page = edits[(edits["channel"] == edit["channel"]) & (edits["page"] == edit["page"])]
        user = edits[edits["user"] == edit["user"]]
        for window in WIDTHS:
            for name, value in of_page(in_window(page, now, window)).items():
                agree(got[f"page_{name}_{window}"], value, (name, window, entity))
            for name, value in of_user(in_window(user, now, window)).items():
                agree(got[f"user_{name}_{window}"], value, (name, window, entity))


def test_the_session_of_a_person_is_walked_back_from_now(edits: pd.DataFrame, store: Store) -> None:
    busy = edits["user"].value_counts()
    people = edits[edits["user"].map(busy).between(2, EXACT)]
    longest = 0
    for n in range(0, len(people), 800):
        edit = people.iloc[n]
        now = edit["at"] + pd.Timedelta(minutes=n % 35)
        entity = {key: edit[key] for key in ("channel", "page", "user")}
        got = store.get("vandalism_v1", entity, as_of=now.to_pydatetime())
        mine = session_of(edits[edits["user"] == edit["user"]], now)
        assert got["user_edits_session_30m"] == len(mine)
        agree(got["user_pages_session_30m"], mine["page"].nunique() or None, entity)
        if len(mine):
            assert pd.Timestamp(str(got["user_began_session_30m"])) == mine["at"].min()
        longest = max(longest, len(mine))
    assert longest > 5


def test_a_wiki_has_its_top_pages_robots_sizes_and_namespaces(
    edits: pd.DataFrame, store: Store
) -> None:
    now, looked = edits["at"].max(), 0
    for channel, of in edits.groupby("channel"):
        mine = in_window(of, now, "24h")
        if len(mine) > EXACT:
            continue
        got = store.get("wiki_v1", channel=str(channel), as_of=now.to_pydatetime())
        assert got["edits_24h"] == len(mine)
        agree(got["robots_24h"], mine["isRobot"].mean(), channel)
        assert got["namespaces_24h"] == mine["namespace"].value_counts().to_dict()
        edges = [-float("inf"), -1000, -100, 0, 100, 1000, float("inf")]
        bins = pd.cut(mine["delta"], edges, right=False).value_counts(sort=False)
        assert got["sizes_24h"] == bins.tolist()
        assert got["typical_size_24h"] == sorted(mine["delta"])[(len(mine) - 1) // 2]
        for name, column in (("top_pages", "page"), ("top_users", "user")):
            counts, top = mine[column].value_counts(), got[f"{name}_24h"]
            assert list(top.values()) == counts.head(3).tolist()
            assert top == {value: counts[value] for value in top}
        looked += 1
    assert looked > 20


def test_who_has_no_country_is_in_no_country_s_row(edits: pd.DataFrame, store: Store) -> None:
    now = edits["at"].max()  # a row keeps what its windows reach from its newest edit
    for country in ("US", "FR", "BR", "VA"):
        mine = in_window(edits[edits["countryIsoCode"] == country], now, "1h")
        assert len(mine) <= EXACT
        got = store.get("anonymous_v1", country=country, as_of=now.to_pydatetime())
        assert got["edits_1h"] == len(mine)
        agree(got["cities_1h"], mine["cityName"].nunique() or None, country)
        agree(got["undone_1h"], mine["undo"].mean(), country)


def test_a_robot_far_beyond_its_budget_is_right_up_to_a_hop_at_each_end(
    edits: pd.DataFrame,
) -> None:
    """Followed through the day: each end of a window is earlier by less than the window's hop."""
    robot, store, looked = edits[edits["user"] == ROBOT], Store(str(HERE / "features.py")), 0
    assert len(robot) > 20 * EXACT
    for end, lines in by_hours(EDITS, 1):
        store.feed("edits", lines)
        now = pd.Timestamp(end)
        got = store.get("vandalism_v1", {"channel": "-", "page": "-", "user": ROBOT}, as_of=end)
        for window, width in WIDTHS.items():
            count, hop = got[f"user_edits_{window}"], HOPS[window]
            at, begin = robot["at"], now - width
            least = ((at > begin) & (at <= now - hop)).sum()
            most = ((at > begin - hop) & (at <= now)).sum()
            assert least <= count <= most, (window, end)
            looked += count > EXACT
    assert looked > 10, "a good part of this was tiles"


def test_the_day_is_cut_into_hours_without_losing_a_line() -> None:
    parts = list(by_hours(EDITS, 2))
    assert [end.hour for end, _ in parts] == [*range(2, 24, 2), 0]
    assert sum(lines.count(b"\n") for _, lines in parts) == 39199
    assert parts[1][0] - parts[0][0] == timedelta(hours=2)
