"""A producer: departures from New York, 2013, sent to the API as if they happened now.

::

    2013:   |- - - - - - history - - - - - -|- - - - - - - - the rest - - - - - - - -|
    now:    |- - - - - - as far apart - - - |- closer by --speed-up -|- once more -| ...
                     sent at once           ^ start           each sent when it is due

So windows of days have something in them from the start, and those of minutes change under your
eyes. Runs until it is told to stop: ``python -m examples.flights.replay --help``.
"""

import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import TypedDict

import click
import httpx2
import numpy as np
import numpy.typing as npt
import orjson
import pyarrow as pa
import pyarrow.parquet as pq

from featurestore.instants import DAY, MINUTE, SECOND, from_us

DEPARTURES = Path(__file__).parent / "departures.parquet"

_BATCH = 1000
_TICK_SECONDS = 0.1
_REPORT_SECONDS = 5.0
_AGAIN_SECONDS = 0.5
_REQUEST_SECONDS = 30.0
_BUSY = (429, 503)

Instants = npt.NDArray[np.int64]


class ReplayError(Exception):
    """The API does not take events; its text is one message for the user."""


class Answer(TypedDict):
    """What the API says about events."""

    accepted: int
    rejected: list[dict[str, object]]


def rounds(
    times: Instants, start_us: int, speed_up: float, history_us: int
) -> Iterator[tuple[int, Instants]]:
    """Yield which row comes next and when it and those after it depart, as if it were now.

    Args:
        times: When they departed, sorted, in microseconds.
        start_us: The end of the history.
        speed_up: How much closer together the rest departs.
        history_us: How much of the beginning is history.

    >>> plan = rounds(np.array([0, 100, 200, 400]), 1_000_000, speed_up=10, history_us=150)
    >>> for _ in range(3):
    ...     row, departs = next(plan)
    ...     print(row, departs.tolist())
    0 [999850, 999950]
    2 [1000005, 1000025]
    0 [1000025, 1000035, 1000045, 1000065]
    """
    cut = int(times[0]) + history_us
    row = int(np.searchsorted(times, cut, side="right"))
    yield 0, times[:row] - cut + start_us
    since, end_us = cut, start_us
    for _ in count():
        departs = end_us + ((times[row:] - since) / speed_up).astype(np.int64)
        yield row, departs
        row, since, end_us = 0, int(times[0]), int(max(end_us, *departs[-1:]))


def events(flights: pa.Table, departs: Instants, mark: str) -> list[bytes]:
    """Return departures as JSON documents that happen at other times than they did.

    Args:
        flights: The departures.
        departs: When each of them is to depart, microseconds UTC.
        mark: What is put before each `flight_id`, so that it stays unique.
    """
    documents = []
    for row, at_us in zip(flights.to_pylist(), departs.tolist(), strict=True):
        scheduled_us = at_us - int(row["dep_delay"] * MINUTE)
        moved = {"departed_at": from_us(at_us), "sched_dep_time": from_us(scheduled_us)}
        documents.append(orjson.dumps(row | moved | {"flight_id": f"{mark}-{row['flight_id']}"}))
    return documents


@dataclass
class Door:
    """The API's door for events; waits for it to open, and when it asks for patience.

    Args:
        api: The API's address.
        patience: For how many seconds it may be closed at a time.
    """

    api: str
    patience: float
    accepted: int = 0
    rejected: int = 0
    _client: httpx2.Client = field(
        default_factory=lambda: httpx2.Client(timeout=_REQUEST_SECONDS, trust_env=False)
    )

    def send(self, documents: list[bytes]) -> None:
        """Send events, some at a time.

        Raises:
            ReplayError: They are not taken.
        """
        for first in range(0, len(documents), _BATCH):
            answer = self._post(b"\n".join(documents[first : first + _BATCH]))
            self.accepted += answer["accepted"]
            self.rejected += len(answer["rejected"])

    def _post(self, body: bytes) -> Answer:
        url = f"{self.api.rstrip('/')}/v1/streams/departures/events"
        headers = {"content-type": "application/x-ndjson"}
        deadline = time.monotonic() + self.patience
        while True:
            try:
                response = self._client.post(url, content=body, headers=headers)
            except httpx2.TransportError as error:
                said = f"{type(error).__name__}: {error}"
            else:
                if response.status_code not in _BUSY:
                    return _accepted(url, response)
                said = f"it answers {response.status_code}"
            if time.monotonic() > deadline:
                msg = f"{url} took no events for {self.patience:g} s: {said}"
                raise ReplayError(msg)
            time.sleep(_AGAIN_SECONDS)


def _accepted(url: str, response: httpx2.Response) -> Answer:
    if response.status_code != httpx2.codes.ACCEPTED:
        msg = f"{url} answers {response.status_code}: {response.text[:500]}"
        raise ReplayError(msg)
    answer: Answer = response.json()
    return answer


def replay(door: Door, flights: pa.Table, speed_up: float, history_us: int, until: float) -> None:
    """Send departures when they are due, until a moment of the monotonic clock."""
    times = flights.column("departed_at").cast(pa.int64()).to_numpy()
    start_us = time.time_ns() // 1000
    mark, report = f"{start_us // SECOND:x}", 0.0
    for number, (row, departs) in enumerate(rounds(times, start_us, speed_up, history_us)):
        done = 0
        while done < len(departs):
            due = int(np.searchsorted(departs, time.time_ns() // 1000, side="right"))
            part = flights.slice(row + done, due - done)
            door.send(events(part, departs[done:due], f"{mark}-{number}"))
            done = due
            now = time.monotonic()
            if now >= until:
                return
            if now >= report:
                click.echo(f"sent {door.accepted} departures, {door.rejected} rejected")
                report = now + _REPORT_SECONDS
            time.sleep(_TICK_SECONDS)


@click.command()
@click.option(
    "--api", default="http://127.0.0.1:8000", show_default=True, help="Where the API listens."
)
@click.option(
    "--speed-up",
    default=600.0,
    show_default=True,
    type=click.FloatRange(1, 1e6),
    help="How much faster than in 2013; 600 gives about 6 departures a second.",
)
@click.option(
    "--history",
    default=28,
    show_default=True,
    type=click.IntRange(0, 58),
    help="How many days of history to send at once.",
)
@click.option("--seconds", type=click.FloatRange(min=0), help="Stop after so long.")
@click.option(
    "--patience",
    default=60.0,
    show_default=True,
    type=click.FloatRange(min=0),
    help="For how many seconds the API may be away.",
)
def main(
    *, api: str, speed_up: float, history: int, seconds: float | None, patience: float
) -> None:
    """Send departures from New York, 2013, to the API as if they happened now."""
    until = time.monotonic() + seconds if seconds is not None else float("inf")
    door = Door(api, patience)
    try:
        replay(door, pq.read_table(DEPARTURES), speed_up, history * DAY, until)
    except ReplayError as error:
        click.echo(f"replay: {error}", err=True)
        sys.exit(1)
    click.echo(f"sent {door.accepted} departures, {door.rejected} rejected")


if __name__ == "__main__":
    main()
