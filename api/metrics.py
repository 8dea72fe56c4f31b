"""Metrics: plain counters while requests are answered, text for Prometheus when it asks.

A counter is a place in a row of numbers (30 ns to raise; a metrics library takes 4-8 µs, a fifth
of a request). Each process of a server has a row in memory that all of them can read, so that
whichever is asked tells the sum.
"""

from bisect import bisect_left
from collections.abc import Iterator, Mapping, MutableSequence, Sequence

ROUTES = (
    "/v1/features/{service}",
    "/v1/streams/{stream}/events",
    "/v1/services",
    "/v1/views",
    "/v1/streams",
    "/healthz",
    "/readyz",
    "/metrics",
    "other",
)
STATUSES = (200, 202, 400, 404, 405, 413, 422, 429, 500, 503)
SECONDS = (0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5)
COUNTERS = {
    "entities": "Entities whose vectors were answered.",
    "events_accepted": "Events appended to their stream.",
    "events_rejected": "Events that broke their contract at the door.",
    "store_errors": "Requests that failed because the store did.",
}
_BUCKETS = len(SECONDS) + 1
_OTHER_STATUS = len(STATUSES)
_PER_ROUTE = len(STATUSES) + 1 + _BUCKETS + 1  # by status, by time, seconds in all
_FIRST_COUNTER = len(ROUTES) * _PER_ROUTE
SIZE = _FIRST_COUNTER + len(COUNTERS)

_ROUTE_PLACES = {route: number * _PER_ROUTE for number, route in enumerate(ROUTES)}
_STATUS_PLACES = {status: number for number, status in enumerate(STATUSES)}
_COUNTER_PLACES = {name: _FIRST_COUNTER + number for number, name in enumerate(COUNTERS)}


class Metrics:
    """The counters of one process, and a view of all.

    Args:
        mine: This process's row, `SIZE` zeros at the start.
        rows: The rows of all processes, this one's included.

    >>> metrics = Metrics.alone()
    >>> metrics.answered("/v1/features/{service}", 200, 0.0004)
    >>> metrics.count("entities", 3)
    >>> print(metrics.text({}))
    # HELP featurestore_requests_total Requests answered.
    # TYPE featurestore_requests_total counter
    featurestore_requests_total{route="/v1/features/{service}",status="200"} 1
    ...
    """

    def __init__(self, mine: MutableSequence[float], rows: Sequence[Sequence[float]]) -> None:
        self._mine, self._rows = mine, rows

    @classmethod
    def alone(cls) -> "Metrics":
        """Return the counters of a server of one process."""
        mine = [0.0] * SIZE
        return cls(mine, [mine])

    def answered(self, route: str, status: int, seconds: float) -> None:
        """Count a request."""
        mine, place = self._mine, _ROUTE_PLACES[route]
        mine[place + _STATUS_PLACES.get(status, _OTHER_STATUS)] += 1
        place += _OTHER_STATUS + 1
        mine[place + bisect_left(SECONDS, seconds)] += 1
        mine[place + _BUCKETS] += seconds

    def count(self, counter: str, by: int) -> None:
        """Raise one of `COUNTERS`."""
        self._mine[_COUNTER_PLACES[counter]] += by

    def text(self, streams: Mapping[str, Mapping[str, int]], now_us: int = 0) -> str:
        """Write all in the text format of Prometheus.

        Args:
            streams: For each stream what `Events.counts` says.
            now_us: When, for the freshness.
        """
        sums = [sum(column) for column in zip(*self._rows, strict=True)]
        lines = [*_requests(sums), *_durations(sums), *_counters(sums), *_streams(streams, now_us)]
        return "\n".join([*lines, ""])


def _head(name: str, kind: str, text: str) -> list[str]:
    return [f"# HELP featurestore_{name} {text}", f"# TYPE featurestore_{name} {kind}"]


def _requests(sums: Sequence[float]) -> Iterator[str]:
    yield from _head("requests_total", "counter", "Requests answered.")
    for route, place in _ROUTE_PLACES.items():
        for number, status in enumerate([*STATUSES, "other"]):
            if sums[place + number]:
                labels = f'route="{route}",status="{status}"'
                yield f"featurestore_requests_total{{{labels}}} {sums[place + number]:.0f}"


def _durations(sums: Sequence[float]) -> Iterator[str]:
    name = "request_duration_seconds"
    yield from _head(name, "histogram", "Time from a whole request to its answer.")
    for route, place in _ROUTE_PLACES.items():
        start, below = place + _OTHER_STATUS + 1, 0.0
        if not any(sums[start : start + _BUCKETS]):
            continue
        for number, bound in enumerate([*map(str, SECONDS), "+Inf"]):
            below += sums[start + number]
            labels = f'route="{route}",le="{bound}"'
            yield f"featurestore_{name}_bucket{{{labels}}} {below:.0f}"
        yield f'featurestore_{name}_sum{{route="{route}"}} {sums[start + _BUCKETS]:.6f}'
        yield f'featurestore_{name}_count{{route="{route}"}} {below:.0f}'


def _counters(sums: Sequence[float]) -> Iterator[str]:
    for name, text in COUNTERS.items():
        yield from _head(f"{name}_total", "counter", text)
        yield f"featurestore_{name}_total {sums[_COUNTER_PLACES[name]]:.0f}"


def _streams(streams: Mapping[str, Mapping[str, int]], now_us: int) -> Iterator[str]:
    name = "stream_events_total"
    yield from _head(name, "counter", "Events the flow has read, applied, or rejected by reason.")
    for stream, counts in streams.items():
        for outcome, count in sorted(counts.items()):
            if outcome != "newest_us":
                yield f'featurestore_{name}{{stream="{stream}",outcome="{outcome}"}} {count}'
    newest = {s: counts["newest_us"] for s, counts in streams.items() if "newest_us" in counts}
    name = "stream_newest_event_time_seconds"
    yield from _head(name, "gauge", "Newest event time committed, in seconds since 1970.")
    for stream, at_us in newest.items():
        yield f'featurestore_{name}{{stream="{stream}"}} {at_us / 1e6:.6f}'
    name = "stream_age_seconds"
    yield from _head(name, "gauge", "How long ago the newest event committed happened.")
    for stream, at_us in newest.items():
        yield f'featurestore_{name}{{stream="{stream}"}} {(now_us - at_us) / 1e6:.6f}'
