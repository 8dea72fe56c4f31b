"""The slowest of a hundred look-ups, at 70 % of the most that are answered."""

import os
import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial

from benchmarks.harness.alone import alone
from benchmarks.harness.api import filled, lookups, ours
from benchmarks.harness.claim import Row, Sample
from benchmarks.harness.load import Answered, closed_loop, warm_up
from benchmarks.harness.machine import Meter
from benchmarks.harness.open_loop import COMPILER, open_loop
from benchmarks.harness.scale import Scale
from benchmarks.serving import AGGREGATIONS, WINDOWS

SHARE = 0.7


def rows(scale: Scale) -> Iterator[Row]:
    """Measure it: one entity, fifty features."""
    if shutil.which(COMPILER) is None:
        sys.stderr.write(f"tail: left out, its load needs a C compiler ({COMPILER})\n")
        return
    connections, samples, most = max(scale.connections), [], []
    with (
        filled(scale, aggregations=AGGREGATIONS, windows=WINDOWS) as (server, definitions),
        ours(server, definitions) as api,
        apart(api.pid, server.pid),
    ):
        asks = lookups(scale, "fifty", 1)
        warm_up(api.port, asks, connections, scale.seconds)
        for _ in range(scale.runs):
            most.append(closed_loop(api.port, asks, connections, scale.seconds).rate)
            load = partial(open_loop, api.port, asks, most[-1] * SHARE, connections, scale.seconds)
            samples.append(_sample(Meter({"api": api.pid, "server": server.pid}), load))
    yield Row(
        "tail",
        f"look-ups, 1 x 50, p99 at {SHARE:.0%} of the maximum",
        "ms",
        samples,
        target="p99 < 3 ms",
        note=f"open loop, of {sum(most) / len(most):,.0f} requests/s at {connections} connections; "
        "the API has a core of its own",
    )


@contextmanager
def apart(api: int, server: int) -> Iterator[None]:
    """Give the API a core that neither the load nor the store takes from it, where there are two.

    Else what is measured is how long the load, which a service has elsewhere, makes it wait.
    """
    cores = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []
    if len(cores) < 2:
        yield
        return
    os.sched_setaffinity(api, cores[-1:])
    for process in (server, 0):  # 0: this one, and the loads that it starts
        os.sched_setaffinity(process, cores[:-1])
    try:
        yield
    finally:
        os.sched_setaffinity(0, cores)


def _sample(meter: Meter, load: Callable[[], Answered]) -> Sample:
    found: list[Answered] = []
    spent = meter.measure(lambda: found.append(load()))
    (answered,) = found
    also = {"p50 ms": answered.p50, "requests/s": answered.rate}
    return Sample(answered.p99, spent, answered.count, also)


if __name__ == "__main__":
    alone("tail")
