"""Against other streaming engines from PyPI: the same windows into the same Redis."""

import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from benchmarks.harness import data
from benchmarks.harness.agreement import agree, ours
from benchmarks.harness.alone import alone
from benchmarks.harness.claim import Row, Sample, Samples, cpu_note, interleaved, middle
from benchmarks.harness.engine_events import Events, events_in
from benchmarks.harness.environments import python_of
from benchmarks.harness.ingest import Flow, as_lines, both, measured
from benchmarks.harness.machine import Meter, Spent
from benchmarks.harness.processes import to_end
from benchmarks.harness.scale import Scale
from benchmarks.harness.store import Store, store
from benchmarks.peers.rows_of_windows import VALUES, WINDOWS, key_of

_SCRIPTS = Path(__file__).parent / "peers"
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
        tumbling: How many times the few events of the scale it gets where windows tumble, so that
            its run is longer than its start.
        sliding: The same where they slide, and each event is in 42 windows.
    """

    name: str
    script: str
    packages: tuple[str, ...]
    note: str
    tumbling: int = 50
    sliding: int = 5

    def run(self, server: Store, folder: Path, kind: str) -> dict[str, float]:
        """Run it over a folder of JSON lines; return its CPU seconds."""
        python = python_of(self.name.lower(), *self.packages)
        command = [python, str(_SCRIPTS / self.script), str(folder)]
        return {"engine": to_end([*command, "127.0.0.1", str(server.port), kind])}

    def measured(self, server: Store, one: Events, many: Events, kind: str) -> Sample:
        """Run it over one event, and over many; the difference is what the many took."""
        start, run = (self._spent(server, events, kind) for events in (one, many))
        cpu = {name: max(0.0, run.cpu[name] - start.cpu[name]) for name in run.cpu}
        seconds = max(run.seconds - start.seconds, 1e-3)
        also = {"run s": run.seconds, "start-up s": start.seconds}
        return Sample(many.count / seconds, replace(run, cpu=cpu), many.count, also)

    def _spent(self, server: Store, events: Events, kind: str) -> Spent:
        server.empty()
        meter = Meter({"server": server.pid})
        spent = meter.measure(partial(self.run, server, events.folder, kind))
        if server.client.dbsize() != events.windows:
            written, wanted = server.client.dbsize(), events.windows
            msg = f"{self.name} wrote {written:,} {kind} windows of {wanted:,}"
            raise AssertionError(msg)
        return spent


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
    Engine(
        "PyFlink",
        "flink_windows.py",
        ("apache-flink==2.3.0", "redis", "hiredis"),
        "SQL, each window once, when it closes, by a vectorised Python function; no checkpoints",
        tumbling=200,
        sliding=20,
    ),
)


def rows(scale: Scale) -> Iterator[Row]:
    """Measure all engines, both kinds of windows, beside ours."""
    for engine in ENGINES:
        for kind, times in (("tumbling", engine.tumbling), ("sliding", engine.sliding)):
            yield _row(scale, engine, kind, times * scale.few_events)


def _row(scale: Scale, engine: Engine, kind: str, count: int) -> Row:
    table = data.payments("zipf", scale.events, scale.entities)
    theirs = data.payments("zipf", count, scale.entities)
    with tempfile.TemporaryDirectory() as name, store() as server:
        folder = Path(name)
        _check(server, folder, engine, kind)
        place, one = both(as_lines, table, folder, scale)
        many = events_in(folder / "many", theirs, kind)
        single = events_in(folder / "single", theirs.slice(0, 1), kind)
        flow = Flow(server, processes=max(scale.processes))
        takes = {
            "ours": partial(measured, flow, place, one),
            "theirs": partial(engine.measured, server, single, many, kind),
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
        f"theirs: {_also(samples['theirs'])}; {engine.note}; equal on {_SAMPLED} users",
    )


def _also(samples: Samples) -> str:
    medians = [
        f"{name} {middle(samples, lambda one, n=name: one.also[n]):.3g}"  # type: ignore[misc] # n is bound
        for name in samples[0].also
    ]
    return ", ".join([*medians, cpu_note(samples, "event")])


def _check(server: Store, folder: Path, engine: Engine, kind: str) -> None:
    """Compare windows that end inside some days of few events, so that our rows are exact."""
    table = data.payments("uniform", _CHECKED, _SAMPLED, _CHECKED_US)
    server.empty()
    as_lines(table, folder, 1).run(Flow(server))
    engine.run(server, events_in(folder / "check", table, kind).folder, kind)
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
