"""Rows per second against the server's own limit: APPENDs of the same size, pipelined.

Keys are as long as ours, and values as what a row gets at once, on average.
"""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from functools import partial
from itertools import islice
from pathlib import Path

from benchmarks.definitions import definitions
from benchmarks.harness import data
from benchmarks.harness.alone import alone
from benchmarks.harness.claim import Row, Sample, interleaved
from benchmarks.harness.ingest import Flow, Place, as_parquet, both, measured, send_all
from benchmarks.harness.machine import Meter
from benchmarks.harness.scale import Scale
from benchmarks.harness.store import Store, store
from featurestore.storage.commands import pack
from featurestore.storage.keys import view_tag

_KEY = view_tag(definitions[0].views[0], 0) + b":"  # twelve characters follow, as in ours
_PIPELINED = 500
_SAMPLED = 100
_SENT = 10_000


def rows(scale: Scale) -> Iterator[Row]:
    """Measure it on uniform users, where nearly every event touches a row of its own."""
    scale = scale.longer(10)
    table = data.payments("uniform", scale.events, scale.entities)
    with tempfile.TemporaryDirectory() as folder, store() as server:
        flow = Flow(server, processes=max(1, (os.cpu_count() or 1) - 1))  # the server has one
        place, one = both(as_parquet, table, Path(folder), scale)
        frame = _frame(flow, place)
        takes = {
            "ours": partial(_ours, flow, place, one),
            "limit": partial(alone_in, server, scale.events, scale.entities, frame),
        }
        samples = interleaved(scale.runs, takes)
    yield Row(
        "limit",
        f"rows appended, uniform, {flow.processes} process{'es' * (flow.processes > 1)}",
        "rows/s",
        samples["ours"],
        f"{'redis-benchmark' if _tool() else 'packed once'}, APPEND of {frame} bytes",
        samples["limit"],
        "≥ 0.5",
        "ours includes reading, decoding, grouping, expiry, and the commits",
    )


def _frame(flow: Flow, place: Place) -> int:
    """Return how many bytes one APPEND adds."""
    flow.server.empty()
    place.fill(flow.server)
    place.run(flow)
    client = flow.server.client
    keys = list(islice(client.scan_iter(b"*:user*"), _SAMPLED))
    length = sum(int(client.strlen(key)) for key in keys) / len(keys)
    return max(8, round(length * int(client.dbsize()) / flow.server.calls("append")))


def _ours(flow: Flow, place: Place, one: Place | None) -> Sample:
    sample = measured(flow, place, one)
    rows_appended = flow.server.calls("append")
    return Sample(
        sample.value * rows_appended / place.count, sample.spent, rows_appended, sample.also
    )


def alone_in(server: Store, events: int, entities: int, frame: int) -> Sample:
    """Measure what the server does by itself: so many APPENDs to keys drawn from so many."""
    server.empty()
    work = _by_tool if _tool() else _by_hand
    meter = Meter({"server": server.pid})
    spent = meter.measure(partial(work, server, events, entities, frame))
    return Sample(events / spent.seconds, spent, events)


def _tool() -> str | None:
    return shutil.which("redis-benchmark")


def _by_tool(server: Store, events: int, entities: int, frame: int) -> None:
    command = ["redis-benchmark", "-p", str(server.port), "-n", str(events)]
    command += ["-P", str(_PIPELINED), "-c", "8", "-r", str(entities), "-q"]
    command += ["APPEND", _KEY.decode() + "__rand_int__", "x" * frame]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)


def _by_hand(server: Store, events: int, entities: int, frame: int) -> None:
    value, commands = b"x" * frame, []
    for n in range(events):
        commands.append(pack(b"APPEND", b"%b%012d" % (_KEY, n % entities), value))
        if len(commands) == _SENT or n == events - 1:
            send_all(server, commands)
            commands = []


if __name__ == "__main__":
    alone("limit")
