"""A flow that runs for long: its memory stays flat, and so does its store's.

`python -m pytest tests/faults/test_soak.py --long --soak-minutes 30 -s` prints the figures.
"""

import threading
import time
from collections.abc import Sequence
from pathlib import Path

import orjson
import redis

from tests.conftest import Server
from tests.faults.processes import Flow, resident_bytes
from tests.faults.taps import Taps, differences, write_definitions

KEY = "{fs:taps}!events"
BATCH, PAUSE_S = 40, 0.2
EVENTS_KEPT = 500
SHORT_MINUTES = 0.07


def test_memory_stays_flat_and_every_event_counts_once(
    tmp_path: Path, *, long: bool, soak_minutes: float
) -> None:
    minutes = soak_minutes if long else SHORT_MINUTES
    server, taps = Server(tmp_path, "--appendonly", "yes"), Taps(11, duplicates=0.05)
    # The horizon is longer than it takes to send a duplicate of a duplicate, on a busy machine too.
    definitions = write_definitions(tmp_path, ', dedupe="10m"')
    flow = Flow(tmp_path, definitions, server.url, "--events-kept", str(EVENTS_KEPT))
    sizes: list[tuple[int, int]] = []
    done = threading.Event()

    def sample() -> None:
        while not done.wait(1.0):
            sizes.append((resident_bytes(flow.process.pid), resident_bytes(server.process.pid)))

    sampler = threading.Thread(target=sample)
    sampler.start()
    try:
        send(server.url, taps, minutes)
        done.set()
        sampler.join()
        wait_until_read(server.url, len(taps.sent))
        with redis.Redis.from_url(server.url) as client:
            waiting = client.xlen(KEY)
        flow.process.terminate()
        code, _, err = flow.wait()
        assert code == 0, err
        lost, doubled = differences(definitions, server.url, taps.sent)
    finally:
        done.set()
        server.kill()
    of_flow, of_store = ([size[n] for size in sizes] for n in range(2))
    print(
        f"\nsoak of {minutes:g} minutes: events {len(taps.sent)}, lost {lost}, doubled {doubled}, "
        f"entries left in the stream {waiting}\n  flow {told(of_flow)}\n  store {told(of_store)}"
    )
    assert (lost, doubled) == (0, 0)
    assert waiting < min(len(taps.sent), 3 * EVENTS_KEPT)
    if long:  # a short one has not warmed up
        assert growth(of_flow) < 30e6
        assert growth(of_store) < 60e6


def send(url: str, taps: Taps, minutes: float) -> None:
    """Send events at a modest rate."""
    until = time.monotonic() + 60 * minutes
    with redis.Redis.from_url(url) as client:
        while time.monotonic() < until:
            with client.pipeline() as batch:
                for event in taps.events(BATCH):
                    batch.xadd(KEY, {"event": orjson.dumps(event)})
                batch.execute()
            time.sleep(PAUSE_S)


def wait_until_read(url: str, events: int) -> None:
    until = time.monotonic() + 60
    with redis.Redis.from_url(url) as client:
        while int(client.hget("{fs:taps}!counts", "read") or 0) < events:
            assert time.monotonic() < until
            time.sleep(0.1)


def growth(sizes: Sequence[int]) -> int:
    """Return by how much the last quarter is above the second one; the first is warming up."""
    quarter = len(sizes) // 4
    return max(sizes[3 * quarter :]) - max(sizes[quarter : 2 * quarter]) if quarter else 0


def told(sizes: Sequence[int]) -> str:
    quarters = [max(sizes[n * len(sizes) // 4 : (n + 1) * len(sizes) // 4]) for n in range(4)]
    return "most resident by quarter, MB: " + ", ".join(f"{size / 1e6:.1f}" for size in quarters)
