"""Against the same features in idiomatic Bytewax, its `windowing` operators and a Redis sink."""

import sys
import tempfile
from collections.abc import Iterator
from datetime import timedelta
from functools import partial
from pathlib import Path

from benchmarks.harness import data
from benchmarks.harness.agreement import agree, ours
from benchmarks.harness.alone import alone
from benchmarks.harness.claim import Row, Sample, interleaved
from benchmarks.harness.ingest import Flow, as_lines, both, measured
from benchmarks.harness.machine import Meter
from benchmarks.harness.processes import to_end
from benchmarks.harness.scale import Scale
from benchmarks.harness.store import Store, store
from benchmarks.peers.windowing import WINDOWS, number_of, unpacked

TARGETS = {"sliding": "≥ 100", "tumbling": "≥ 50"}
_SAMPLED = 20
_CHECKED = 2_000
_CHECKED_US = 30 * 3_600_000_000  # so that a day ends in it
_US = timedelta(microseconds=1)


def rows(scale: Scale) -> Iterator[Row]:
    """Measure both kinds of windows; ours are sliding in both rows."""
    table = data.payments("zipf", scale.events, scale.entities)
    few = data.payments("zipf", scale.few_events, scale.entities)
    for kind in scale.windowing:
        with tempfile.TemporaryDirectory() as name, store() as server:
            folder = Path(name)
            _check(server, folder, kind)
            place, one = both(as_lines, table, folder, scale)
            as_lines(table.slice(0, 1), folder, 1)
            as_lines(few, folder, 1)
            takes = {
                "ours": partial(measured, Flow(server), place, one),
                "theirs": partial(_theirs, server, folder, kind, len(few)),
            }
            samples = interleaved(scale.runs, takes)
        yield Row(
            "windowing",
            f"events from JSON lines, zipf, vs {kind} windows",
            "events/s",
            samples["ours"],
            f"Bytewax fold_window, {kind}, {len(few):,} events",
            samples["theirs"],
            TARGETS[kind],
            f"{kind} windows there, sliding here; equal on {_SAMPLED} users",
        )


def _run(server: Store, path: Path, kind: str, keep: str = "") -> dict[str, float]:
    flow = f"benchmarks.peers.windowing:flow({str(path)!r},{server.url!r},{kind!r},{keep!r})"
    return {"flow": to_end([sys.executable, "-m", "bytewax.run", flow])}


def _theirs(server: Store, folder: Path, kind: str, events: int) -> Sample:
    server.empty()
    meter = Meter({"server": server.pid})
    start = meter.measure(partial(_run, server, folder / "1.jsonl", kind))
    run = meter.measure(partial(_run, server, folder / f"{events}.jsonl", kind))
    seconds = max(run.seconds - start.seconds, 1e-3)
    return Sample(events / seconds, run, events)


def _check(server: Store, folder: Path, kind: str) -> None:
    """Compare windows that end inside some days of few events, so that our rows are exact."""
    table = data.payments("uniform", _CHECKED, _SAMPLED, _CHECKED_US)
    server.empty()
    as_lines(table, folder, 1).run(Flow(server))
    _run(server, folder / f"{len(table)}.jsonl", kind, keep="all")
    last_us = data.instants(table)[-_SAMPLED]
    for window, (length, _) in WINDOWS.items():
        end_us = last_us // (length // _US) * (length // _US)
        end_us += length // _US if window == "1m" else 0
        mine = ours(server, range(_SAMPLED), end_us, window)
        number = number_of(window, end_us, kind)
        stored = {user: server.client.get(f"w:{user}:{window}:{number}") for user in mine}
        theirs = {user: unpacked(row) if row else None for user, row in stored.items()}
        agree(mine, theirs, f"Bytewax {kind} {window}")


if __name__ == "__main__":
    alone("windowing")
