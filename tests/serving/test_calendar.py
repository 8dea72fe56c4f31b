"""What clocks on the wall show at the moment of a request."""

from collections.abc import Callable
from datetime import UTC, datetime
from zoneinfo import ZoneInfo, available_timezones

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import featurestore
from featurestore import FeatureService, hour_of_day, is_weekend, minute_of_day
from featurestore.definitions.on_demand import OnDemand
from featurestore.errors import DefinitionError
from tests.serving.shop import Shop, named, view

SHOWN: dict[str, Callable[[datetime], int]] = {
    "hour_of_day": lambda at: at.hour,
    "minute_of_day": lambda at: 60 * at.hour + at.minute,
    "day_of_week": lambda at: at.weekday(),
    "day_of_month": lambda at: at.day,
    "month_of_year": lambda at: at.month,
    "is_weekend": lambda at: at.isoweekday() >= 6,
}
ZONES = [
    *("UTC", "Europe/Paris", "America/New_York", "Asia/Kolkata", "Asia/Kathmandu"),
    *("Australia/Lord_Howe", "America/St_Johns", "Pacific/Apia", "Africa/Monrovia"),
]
MOMENTS = st.datetimes(datetime(1850, 1, 1), datetime(2400, 1, 1))  # noqa: DTZ001 - UTC by test


@given(name=st.sampled_from([*SHOWN]), zone=st.sampled_from(ZONES), data=st.data())
def test_they_are_as_python_has_it(name: str, zone: str, data: st.DataObject) -> None:
    feature: OnDemand = getattr(featurestore, name)(zone)
    moments = data.draw(st.lists(MOMENTS, min_size=1, max_size=8))
    now = np.array(moments, "datetime64[us]")
    local = [at.replace(tzinfo=UTC).astimezone(ZoneInfo(zone)) for at in moments]
    assert feature({}, {"now": now})[name].tolist() == [SHOWN[name](at) for at in local]


def test_an_hour_that_is_skipped_and_one_that_comes_twice() -> None:
    hour = hour_of_day("Europe/Paris")
    texts = ["2026-03-29T00:59:59", "2026-03-29T01:00", "2026-10-25T00:00", "2026-10-25T01:00"]
    now = np.array(texts, "datetime64[us]")
    assert hour({}, {"now": now})["hour_of_day"].tolist() == [1, 3, 2, 2]


@pytest.mark.parametrize("as_of", ["0001-01-01T00:00:00+00:00", "9999-12-31T23:59:59+00:00"])
@pytest.mark.parametrize("zone", ["Pacific/Kiritimati", "Pacific/Midway"])
def test_the_ends_of_time_are_no_fault(as_of: str, zone: str) -> None:
    parts = [hour_of_day(zone), is_weekend(zone), minute_of_day(zone, name="minute")]
    shop = Shop(FeatureService("s", features=[view(), *parts]))
    as_of_us = (datetime.fromisoformat(as_of) - datetime(1970, 1, 1, tzinfo=UTC)) // (
        datetime.resolution
    )
    (value,) = named(shop.ask({"user_id": "u"}, as_of_us=as_of_us))
    assert 0 <= value["hour_of_day"] <= 23
    assert value["minute"] // 60 == value["hour_of_day"]


def test_they_stand_in_a_vector_under_their_names() -> None:
    tokyo = hour_of_day("Asia/Tokyo", name="hour_in_tokyo")
    service = FeatureService("s", features=[hour_of_day(), view().select("spent_1h"), tokyo])
    shop = Shop(service)
    assert shop.ask({"user_id": "u"}).values == [[12, None, 21]]
    assert shop.ask({}, features=["hour_in_tokyo"]).values == [[21]]  # no row is read
    with pytest.raises(DefinitionError, match="both give 'hour_of_day'; give it another name"):
        FeatureService("s", features=[hour_of_day(), hour_of_day("Asia/Tokyo")])


@pytest.mark.parametrize("zone", ["Europe/Pari", "../etc/passwd", "", "Europe", "+01:00"])
def test_a_zone_that_is_none_is_refused(zone: str) -> None:
    with pytest.raises(DefinitionError, match="there is no time zone") as raised:
        hour_of_day(zone)
    assert zone != "Europe/Pari" or "did you mean 'Europe/Paris'?" in str(raised.value)
    assert "Europe/Paris" in available_timezones()
