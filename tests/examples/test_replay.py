"""The producer: departures of 2013 as if they happened now."""

import json
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from itertools import islice

import numpy as np
import pyarrow.parquet as pq
import pytest

from examples.flights.features import Departure
from examples.flights.replay import DEPARTURES, Door, ReplayError, events, replay, rounds
from featurestore.instants import DAY
from tests.conftest import free_port

NOW = 1_800_000_000_000_000


class StandIn(HTTPServer):
    """An API that takes events; first it answers what it is told to."""

    def __init__(self, *first: int) -> None:
        self.first, self.taken = list(first), []
        super().__init__(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server_address[1]}"


class Handler(BaseHTTPRequestHandler):
    server: StandIn

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        status = self.server.first.pop(0) if self.server.first else 202
        lines = body.splitlines()
        if status == 202:
            self.server.taken += [(self.path, line) for line in lines]
        answer = json.dumps({"accepted": len(lines), "rejected": []}).encode()
        self.send_response(status)
        self.send_header("content-length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Say nothing."""


@pytest.fixture
def api(request: pytest.FixtureRequest) -> Iterator[StandIn]:
    server = StandIn(*getattr(request, "param", ()))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def test_history_keeps_its_distances_and_the_rest_comes_closer_together() -> None:
    times = np.array([0, 2, 4, 8], dtype=np.int64) * DAY
    (row, history), (next_row, rest), (again, _) = islice(rounds(times, NOW, 100, 3 * DAY), 3)
    assert (row, next_row, again) == (0, 2, 0)
    assert (history - NOW).tolist() == [-3 * DAY, -DAY]
    assert (rest - NOW).tolist() == [DAY // 100, 5 * DAY // 100]


def test_times_rise_over_all_rounds_without_an_end() -> None:
    times = pq.read_table(DEPARTURES).column("departed_at").cast("int64").to_numpy()
    departs = np.concatenate([d for _, d in islice(rounds(times, NOW, 600, 28 * DAY), 4)])
    assert (np.diff(departs) >= 0).all()
    assert len(departs) == 3 * len(times)


def test_a_moved_departure_keeps_its_contract_and_its_delay() -> None:
    flights = pq.read_table(DEPARTURES).slice(1000, 50)
    moved = events(flights, np.arange(NOW, NOW + 50, dtype=np.int64), "m-1")
    for document, original in zip(moved, flights.to_pylist(), strict=True):
        departure = Departure.model_validate_json(document)
        delay = departure.departed_at - departure.sched_dep_time
        assert delay.total_seconds() / 60 == original["dep_delay"]
        assert departure.flight_id == f"m-1-{original['flight_id']}"


@pytest.mark.parametrize("api", [(503, 429)], indirect=True)
def test_the_history_is_sent_at_once_in_order_when_the_api_is_ready(
    api: StandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("examples.flights.replay._AGAIN_SECONDS", 0.01)
    flights, before = pq.read_table(DEPARTURES).slice(0, 2500), time.time()
    replay(Door(api.url, patience=5), flights, 600, 2 * DAY, until=0)
    sent = [Departure.model_validate_json(line) for _, line in api.taken]
    assert {path for path, _ in api.taken} == {"/v1/streams/departures/events"}
    times = [departure.departed_at.timestamp() for departure in sent]
    assert times == sorted(times)
    assert before - 2 * 86400 <= times[0] < times[-1] <= time.time()
    assert len({departure.flight_id for departure in sent}) == len(sent) > 1000


def test_an_api_that_is_not_there_is_named() -> None:
    url = f"http://127.0.0.1:{free_port()}"
    with pytest.raises(ReplayError, match=f"{url}/v1/streams/departures/events took no events"):
        Door(url, patience=0).send([b"{}"])


@pytest.mark.parametrize("api", [(404,)], indirect=True)
def test_an_answer_that_is_no_yes_is_shown(api: StandIn) -> None:
    with pytest.raises(ReplayError, match="answers 404"):
        Door(api.url, patience=5).send([b"{}"])
