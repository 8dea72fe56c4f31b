"""The slowest of a hundred look-ups, at 70 % of the most that are answered.

Beside it an app that neither reads nor computes, asked as often: what it takes, the machine and
HTTP take. Where others use the machine that is most of it, since a core that is taken away for some
milliseconds makes hundreds of requests wait.
"""

import shutil
import sys
from collections.abc import Callable, Iterator
from functools import partial

from benchmarks.harness.alone import alone
from benchmarks.harness.api import Api, filled, lookups, ours, trivial
from benchmarks.harness.claim import Row, Sample, interleaved, middle
from benchmarks.harness.load import Asks, closed_loop, warm_up
from benchmarks.harness.machine import Meter, pauses
from benchmarks.harness.open_loop import COMPILER, OpenAnswered, open_loop
from benchmarks.harness.scale import Scale
from benchmarks.harness.store import Store
from benchmarks.serving import AGGREGATIONS, WINDOWS

SHARE = 0.7
_TYPICAL = "p99 ms of a typical tenth of a second"
_ROUNDS = 3  # within each round of the scale: which of them are disturbed is luck


def rows(scale: Scale) -> Iterator[Row]:
    """Measure it: one entity, fifty features."""
    if shutil.which(COMPILER) is None:
        sys.stderr.write(f"tail: left out, its load needs a C compiler ({COMPILER})\n")
        return
    with (
        filled(scale, aggregations=AGGREGATIONS, windows=WINDOWS) as (server, definitions),
        ours(server, definitions) as mine,
    ):
        asks = lookups(scale, "fifty", 1)
        answer = mine.answer(asks.path, asks.bodies[0])
        with trivial({asks.path: len(answer)}) as theirs:
            yield _row(scale, server, {"ours": mine, "theirs": theirs}, asks)


def _row(scale: Scale, server: Store, apis: dict[str, Api], asks: Asks) -> Row:
    connections, most = max(scale.connections), list[float]()
    samples: dict[str, list[Sample]] = {name: [] for name in apis}
    for api in apis.values():
        warm_up(api.port, asks, connections, scale.seconds)
    for number in range(scale.runs * _ROUNDS):
        most.append(closed_loop(apis["ours"].port, asks, connections, scale.seconds).rate)
        takes = {
            name: partial(
                _sample,
                Meter({"api": api.pid, "server": server.pid}),
                partial(open_loop, api.port, asks, most[-1] * SHARE, connections, scale.seconds),
            )
            for name, api in list(apis.items())[:: 1 if number % 2 == 0 else -1]
        }
        for name, found in interleaved(1, takes).items():
            samples[name] += found
    rate, kept = sum(most) / len(most), pauses(2 * scale.seconds)
    typical = middle(samples["theirs"], lambda sample: sample.also[_TYPICAL])
    return Row(
        "tail",
        f"look-ups, 1 x 50, p99 at {SHARE:.0%} of the maximum",
        "ms",
        samples["ours"],
        "raw ASGI app on uvicorn, as many requests",
        samples["theirs"],
        "p99 < 3 ms",
        f"open loop, of {rate:,.0f} requests/s at {connections} connections; loops on all cores "
        f"are kept waiting {len(kept) / (2 * scale.seconds):.1f} times a second for more than 1 "
        f"ms, {max(kept, default=0):.1f} ms at most; theirs in a typical tenth {typical:.3g} ms",
    )


def _sample(meter: Meter, load: Callable[[], OpenAnswered]) -> Sample:
    found: list[OpenAnswered] = []
    spent = meter.measure(lambda: found.append(load()))
    (answered,) = found
    also = {
        "p50 ms": answered.p50,
        _TYPICAL: answered.typical_p99,
        "requests/s": answered.rate,
    }
    return Sample(answered.p99, spent, answered.count, also)


if __name__ == "__main__":
    alone("tail")
