"""Against other streaming engines from PyPI: the same windows into the same Redis."""

import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pyarrow as pa

from benchmarks.harness import data
from benchmarks.harness.agreement import agree, ours
from benchmarks.harness.alone import alone
from benchmarks.harness.claim import Row, Sample, interleaved
from benchmarks.harness.environments import python_of
from benchmarks.harness.ingest import Flow, as_lines, both, measured
from benchmarks.harness.machine import Meter
from benchmarks.harness.processes import to_end
from benchmarks.harness.scale import Scale
from benchmarks.harness.store import Store, store
from benchmarks.peers.rows_of_windows import VALUES, WINDOWS, key_of

_SCRIPTS = Path(__file__).parent / "peers"
_FILE_EVENTS = 100_000
_SAMPLED = 20
_CHECKED = 2_000
_CHECKED_US = 30 * 3_600_000_000  # so that a day ends in it


@dataclass(frozen=True)
class Engine:
    """Another engine.

    Attributes:
        name: Its name.
        script: What runs it.
        packages: What it needs.
        note: What it computes.
    """

    name: str
    script: str
    packages: tuple[str, ...]
    note: str

    def run(self, server: Store, folder: Path, kind: str) -> dict[str, float]:
        """Run it over a folder of JSON lines; return its CPU seconds."""
        python = python_of(self.name.lower(), *self.packages)
        command = [python, str(_SCRIPTS / self.script), str(folder)]
        return {"engine": to_end([*command, "127.0.0.1", str(server.port), kind])}

    def measured(self, server: Store, events: Path, one: Path, kind: str, count: int) -> Sample:
        """Run it over events, and over one; the difference is what the events took."""
        server.empty()
        meter = Meter({"server": server.pid})
        start = meter.measure(partial(self.run, server, one, kind))
        run = meter.measure(partial(self.run, server, events, kind))
        seconds = max(run.seconds - start.seconds, 1e-3)
        return Sample(
            count / seconds, run, count, {"run s": run.seconds, "start-up s": start.seconds}
        )


ENGINES = (
    Engine(
        "Pathway",
        "pathway_windows.py",
        ("pathway==0.33.0", "redis", "hiredis"),
        "static mode: each window once, at the end; not exactly once into Redis",
    ),
    Engine(
        "PySpark",
        "spark_windows.py",
        ("pyspark==4.3.0", "redis", "hiredis"),
        "update mode, a micro-batch per 100,000 events, all cores; at least once into Redis",
    ),
)
# All events where windows tumble, few where they slide: each is in 42 windows then.
KINDS = {"tumbling": 10, "sliding": 1}


def rows(scale: Scale) -> Iterator[Row]:
    """Measure all engines, both kinds of windows, beside ours."""
    for engine in ENGINES:
        for kind, times in KINDS.items():
            yield _row(scale, engine, kind, times * scale.few_events)


def _row(scale: Scale, engine: Engine, kind: str, count: int) -> Row:
    table = data.payments("zipf", scale.events, scale.entities)
    theirs = data.payments("zipf", count, scale.entities)
    with tempfile.TemporaryDirectory() as name, store() as server:
        folder = Path(name)
        _check(server, folder, engine, kind)
        place, one = both(as_lines, table, folder, scale)
        many = _folder(theirs, folder / "many")
        single = _folder(theirs.slice(0, 1), folder / "single")
        flow = Flow(server, processes=max(scale.processes))
        takes = {
            "ours": partial(measured, flow, place, one),
            "theirs": partial(engine.measured, server, many, single, kind, count),
        }
        samples = interleaved(scale.runs, takes)
    return Row(
        "engines",
        f"events from JSON lines, zipf, {flow.processes} processes",
        "events/s",
        samples["ours"],
        f"{engine.name}, {kind}, {count:,} events",
        samples["theirs"],
        "≥ 10",
        f"{engine.note}; equal on {_SAMPLED} users",
    )


def _folder(table: pa.Table, folder: Path) -> Path:
    """Write events as other engines get them: with their time as a number, too."""
    folder.mkdir()
    timed = table.append_column("at_us", table["at"].cast(pa.int64()))
    for number, at in enumerate(range(0, len(timed), _FILE_EVENTS)):
        data.write_lines(timed.slice(at, _FILE_EVENTS), folder / f"{number:04}.jsonl")
    return folder


def _check(server: Store, folder: Path, engine: Engine, kind: str) -> None:
    """Compare windows that end inside some days of few events, so that our rows are exact."""
    table = data.payments("uniform", _CHECKED, _SAMPLED, _CHECKED_US)
    server.empty()
    as_lines(table, folder, 1).run(Flow(server))
    engine.run(server, _folder(table, folder / "check"), kind)
    last_us = data.instants(table)[-_SAMPLED]
    for window, (length, _) in WINDOWS.items():
        length_us = length * 1_000_000
        end_us = last_us // length_us * length_us + (length_us if window == "1m" else 0)
        mine = ours(server, range(_SAMPLED), end_us, window)
        stored = {user: server.client.get(key_of(user, window, end_us)) for user in mine}
        theirs = {user: VALUES.unpack(row) if row else None for user, row in stored.items()}
        agree(mine, theirs, f"{engine.name} {kind} {window}")


if __name__ == "__main__":
    alone("engines")
