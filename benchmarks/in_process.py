"""Reading in process, without HTTP, against the bare round trip to the server."""

import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial

import numpy as np

from benchmarks.harness import data
from benchmarks.harness.alone import alone
from benchmarks.harness.api import filled
from benchmarks.harness.claim import Row, Sample, interleaved
from benchmarks.harness.scale import Scale
from benchmarks.serving import AGGREGATIONS, WINDOWS
from featurestore.client import Client
from featurestore.definitions.catalog import load
from featurestore.serving.plan import Plan
from featurestore.storage.commands import pack
from featurestore.storage.wire import Wire


def rows(scale: Scale) -> Iterator[Row]:
    """Measure one entity of ten features."""
    with filled(scale, aggregations=AGGREGATIONS, windows=WINDOWS) as (server, definitions):
        plan, wire = Plan(load(definitions).services["ten"]), Wire(server.url)
        entities = [{"user_id": data.user_id(n * 7919 % scale.entities)} for n in range(1000)]
        commands = [pack(b"GET", *plan.row_keys([entity])) for entity in entities]
        with Client(definitions, server.url) as client:
            reads = [partial(client.get, "ten", entity) for entity in entities]
            trips = [partial(_trip, wire, command) for command in commands]
            takes = {
                "ours": partial(_timed, reads, scale.seconds),
                "bare": partial(_timed, trips, scale.seconds),
            }
            samples = interleaved(scale.runs, takes)
        wire.close()
    yield Row(
        "in_process",
        "a read in process, 1 x 10, p50",
        "µs",
        samples["ours"],
        "GET over a blocking socket",
        samples["bare"],
        "p50 < 150 µs",
    )


def _trip(wire: Wire, command: bytes) -> None:
    wire.send([command])
    wire.read()


def _timed(calls: Sequence[Callable[[], object]], seconds: float) -> Sample:
    took: list[int] = []
    until = time.perf_counter() + seconds
    while time.perf_counter() < until:
        for call in calls:
            started = time.perf_counter_ns()
            call()
            took.append(time.perf_counter_ns() - started)
    p50, p99 = np.percentile(took, [50, 99]) / 1000
    return Sample(float(p50), also={"p99 µs": float(p99)})


if __name__ == "__main__":
    alone("in_process")
