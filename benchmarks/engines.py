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
class Form:
    """One of the ways in which an engine makes windows.

    Attributes:
        windows: ``tumbling`` or ``sliding``.
        times: How many times the few events of the scale it gets, so that its run is longer than
            its start.
        note: What it computes.
        once: It writes each window once, when it closes; it cannot be read before, as ours can.
    """

    windows: str
    times: int
    note: str
    once: bool = False

    @property
    def kind(self) -> str:
        """What the script calls it, and the table."""
        return f"closed {self.windows}" if self.once else self.windows


@dataclass(frozen=True)
class Engine:
    """Another engine.

    Attributes:
        name: Its name.
        script: What runs it.
        packages: What it needs.
        forms: The ways in which it makes windows.
    """

    name: str
    script: str
    packages: tuple[str, ...]
    forms: tuple[Form, ...]

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


_STATIC = "static mode: each window once, at the end of all events; not exactly once into Redis"
_UPDATES = "update mode, a micro-batch per 100,000 events, all cores; at least once into Redis"
_MINI_BATCH = (
    "SQL, tiles kept up to date, a mini-batch per 100,000 events or second, written by a "
    "vectorised Python function; no checkpoints"
)
_CLOSED = "LESS WORK than ours: SQL, each window once, when it closes, and not to be read before"

ENGINES = (
    Engine(
        "Pathway",
        "pathway_windows.py",
        ("pathway==0.33.0", "redis", "hiredis"),
        (Form("tumbling", 50, _STATIC), Form("sliding", 5, _STATIC)),
    ),
    Engine(
        "PySpark",
        "spark_windows.py",
        ("pyspark==4.3.0", "redis", "hiredis"),
        (Form("tumbling", 50, _UPDATES), Form("sliding", 5, _UPDATES)),
    ),
    Engine(
        "PyFlink",
        "flink_windows.py",
        ("apache-flink==2.3.0", "redis", "hiredis"),
        (
            Form("tumbling", 100, _MINI_BATCH),
            Form("tumbling", 100, _CLOSED, once=True),
            Form("sliding", 10, _CLOSED, once=True),
        ),
    ),
)


def rows(scale: Scale) -> Iterator[Row]:
    """Measure all engines, all their forms, beside ours; two rounds tell a factor of ten."""
    for engine in ENGINES:
        for form in engine.forms:
            yield _row(replace(scale.longer(3), runs=min(scale.runs, 2)), engine, form)


def _row(scale: Scale, engine: Engine, form: Form) -> Row:
    count = form.times * scale.few_events
    table = data.payments("zipf", scale.events, scale.entities)
    theirs = data.payments("zipf", count, scale.entities)
    with tempfile.TemporaryDirectory() as name, store() as server:
        folder = Path(name)
        _check(server, folder, engine, form)
        place, one = both(as_lines, table, folder, scale)
        many = events_in(folder / "many", theirs, form.windows)
        single = events_in(folder / "single", theirs.slice(0, 1), form.windows)
        flow = Flow(server, processes=max(scale.processes))
        takes = {
            "ours": partial(measured, flow, place, one),
            "theirs": partial(engine.measured, server, single, many, form.kind),
        }
        samples = interleaved(scale.runs, takes)
    return Row(
        "engines",
        f"events from JSON lines, zipf, {flow.processes} processes",
        "events/s",
        samples["ours"],
        f"{engine.name}, {form.kind}, {count:,} events",
        samples["theirs"],
        "" if form.once and form.windows == "tumbling" else "≥ 10",
        f"theirs: {_also(samples['theirs'])}; {form.note}; equal on {_SAMPLED} users",
    )


def _also(samples: Samples) -> str:
    medians = [
        f"{name} {middle(samples, lambda one, n=name: one.also[n]):.3g}"  # type: ignore[misc] # n is bound
        for name in samples[0].also
    ]
    return ", ".join([*medians, cpu_note(samples, "event")])


def _check(server: Store, folder: Path, engine: Engine, form: Form) -> None:
    """Compare windows that end inside some days of few events, so that our rows are exact."""
    table = data.payments("uniform", _CHECKED, _SAMPLED, _CHECKED_US)
    server.empty()
    as_lines(table, folder, 1).run(Flow(server))
    engine.run(server, events_in(folder / "check", table, form.windows).folder, form.kind)
    last_us = data.instants(table)[-_SAMPLED]
    for window, (length, _) in WINDOWS.items():
        length_us = length * 1_000_000
        end_us = last_us // length_us * length_us + (length_us if window == "1m" else 0)
        mine = ours(server, range(_SAMPLED), end_us, window)
        stored = {user: server.client.get(key_of(user, window, end_us)) for user in mine}
        theirs = {user: VALUES.unpack(row) if row else None for user, row in stored.items()}
        agree(mine, theirs, f"{engine.name} {form.kind} {window}")


if __name__ == "__main__":
    alone("engines")
