"""Ready on-demand features of the moment of a request, as clocks on the wall show it."""

from collections.abc import Callable
from datetime import UTC, timedelta, tzinfo
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

import numpy as np
import numpy.typing as npt

from featurestore.definitions.on_demand import NOW, Arrays, OnDemand
from featurestore.definitions.problems import report
from featurestore.errors import hint
from featurestore.instants import EPOCH

Local = npt.NDArray[np.datetime64]

_MONDAY = 3  # days from a Monday to 1970-01-01
_MINUTE = np.timedelta64(1, "m")
_DAYS, _WORK_DAYS = 7, 5
_LOWEST, _HIGHEST = -62_000_000_000, 253_000_000_000  # what a datetime can be in any zone


def hour_of_day(zone: str = "UTC", *, name: str = "hour_of_day") -> OnDemand:
    """Give the hour, 0 to 23, of the moment of the request in a time zone.

    Args:
        zone: The zone as the IANA database names it, as in ``"Europe/Paris"``.
        name: The name of the feature.

    Raises:
        DefinitionError: There is no such zone.

    >>> noon = np.array(["2026-01-31T12:00", "2026-07-31T12:00"], "datetime64[us]")
    >>> hour_of_day("Europe/Paris")({}, {"now": noon})
    {'hour_of_day': array([13, 14])}
    """
    return _of_local(name, zone, int, _hour)


def minute_of_day(zone: str = "UTC", *, name: str = "minute_of_day") -> OnDemand:
    """Give the minutes since midnight, 0 to 1439; as `hour_of_day`."""
    return _of_local(name, zone, int, _minute)


def day_of_week(zone: str = "UTC", *, name: str = "day_of_week") -> OnDemand:
    """Give the day of the week, Monday 0 to Sunday 6; as `hour_of_day`."""
    return _of_local(name, zone, int, _weekday)


def is_weekend(zone: str = "UTC", *, name: str = "is_weekend") -> OnDemand:
    """Tell whether it is Saturday or Sunday; as `hour_of_day`."""
    return _of_local(name, zone, bool, lambda local: _weekday(local) >= _WORK_DAYS)


def day_of_month(zone: str = "UTC", *, name: str = "day_of_month") -> OnDemand:
    """Give the day of the month, 1 to 31; as `hour_of_day`."""
    return _of_local(name, zone, int, _day)


def month_of_year(zone: str = "UTC", *, name: str = "month_of_year") -> OnDemand:
    """Give the month, 1 to 12; as `hour_of_day`."""
    return _of_local(name, zone, int, _month)


def _of_local(name: str, zone: str, kind: type, compute: Callable[[Local], Any]) -> OnDemand:
    known = _zone(name, zone)

    def computed(_: Arrays, context: Arrays) -> dict[str, Any]:
        return {name: compute(_local(context[NOW], known))}

    return OnDemand(computed, name=name, inputs=(), context={}, returns={name: kind})


def _zone(name: str, zone: str) -> tzinfo:
    try:
        return ZoneInfo(zone)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        found = hint(zone, available_timezones())
        report([f"on-demand feature {name!r}: there is no time zone {zone!r}{found}"])
        return UTC


def _local(now: Local, zone: tzinfo) -> Local:
    """Return what a clock in a zone shows; cost: about 1 µs for each different second."""
    seconds, places = np.unique(now.astype("datetime64[s]").astype(np.int64), return_inverse=True)
    offsets = [_offset(second, zone) for second in seconds.clip(_LOWEST, _HIGHEST).tolist()]
    shown: Local = now + np.array(offsets, "timedelta64[s]")[places]
    return shown


def _offset(second: int, zone: tzinfo) -> timedelta:
    offset = (EPOCH + timedelta(seconds=second)).astimezone(zone).utcoffset()
    assert offset is not None, zone
    return offset


def _minute(local: Local) -> npt.NDArray[np.int64]:
    minutes: npt.NDArray[np.int64] = (local - local.astype("datetime64[D]")) // _MINUTE
    return minutes


def _hour(local: Local) -> npt.NDArray[np.int64]:
    return _minute(local) // 60


def _weekday(local: Local) -> npt.NDArray[np.int64]:
    return (local.astype("datetime64[D]").astype(np.int64) + _MONDAY) % _DAYS


def _day(local: Local) -> npt.NDArray[np.int64]:
    days = local.astype("datetime64[D]")
    into: npt.NDArray[np.int64] = (days - days.astype("datetime64[M]")).astype(np.int64)
    return into + 1


def _month(local: Local) -> npt.NDArray[np.int64]:
    months: npt.NDArray[np.int64] = local.astype("datetime64[M]").astype(np.int64)
    return months % 12 + 1
