"""Ingest: runs of the flow over events, and what they cost."""

import subprocess
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Protocol

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from benchmarks.harness import data
from benchmarks.harness.claim import Sample
from benchmarks.harness.machine import Meter, Spent, cpu_of
from benchmarks.harness.processes import FEATURESTORE, running, to_end
from benchmarks.harness.scale import Scale
from benchmarks.harness.shapes import STANDARD
from benchmarks.harness.store import Store
from featurestore.storage.commands import pack
from featurestore.storage.keys import counts_key
from featurestore.storage.wire import Wire

_DEADLINE_SECONDS = 900.0
_FILLED = 1_000


@dataclass(frozen=True)
class Flow:
    """A flow into a server.

    Attributes:
        server: The server.
        definitions: The definitions.
        processes: Its workers.
    """

    server: Store
    definitions: str = STANDARD
    processes: int = 1

    def command(self, state: str, sources: Sequence[str]) -> list[str]:
        """Return the command that runs it."""
        given = [word for source in sources for word in ("--source", f"payments={source}")]
        command = [*FEATURESTORE, "run", self.definitions, *given, "--state", state]
        return [*command, "--processes", str(self.processes), "--redis", self.server.url]

    def wait_for(self, events: int, process: "subprocess.Popen[bytes]") -> None:
        """Return once the process has committed so many events."""
        deadline = time.perf_counter() + _DEADLINE_SECONDS
        while self.counted("read") < events:
            if process.poll() is not None or time.perf_counter() > deadline:
                msg = f"the flow has committed {self.counted('read'):,} of {events:,} events"
                raise RuntimeError(msg)
            time.sleep(0.005)

    def check(self, events: int) -> None:
        """Raise unless every event was applied."""
        if self.counted("applied") != events:
            counts = self.server.client.hgetall(counts_key("payments"))
            msg = f"not all of {events:,} events were applied: {counts}"
            raise RuntimeError(msg)

    def counted(self, name: str) -> int:
        """Return one of its counts."""
        return int(self.server.client.hget(counts_key("payments"), name) or 0)


class Place(Protocol):
    """A place that holds events.

    Attributes:
        count: How many.
    """

    @property
    def count(self) -> int:
        """How many events it holds."""

    def fill(self, server: Store) -> None:
        """Put into the server what must be there first."""

    def run(self, flow: Flow) -> Mapping[str, float]:
        """Run a flow over all of it; return the CPU seconds it took."""


@dataclass(frozen=True)
class File:
    """Events in a file."""

    count: int
    path: Path

    def fill(self, server: Store) -> None:
        """Do nothing: they are there."""

    def run(self, flow: Flow) -> Mapping[str, float]:
        """Run a flow to the end of the file."""
        with tempfile.TemporaryDirectory() as state:
            return {"flow": to_end([*flow.command(state, [str(self.path)]), "--until-end"])}


@dataclass(frozen=True)
class Streams:
    """Events in Redis Streams, in the server that the flow writes to; one partition each."""

    shares: Sequence[pa.Table]

    @property
    def count(self) -> int:
        """How many events they hold."""
        return sum(map(len, self.shares))

    def fill(self, server: Store) -> None:
        """Write the events as JSON and add them, some at a time: so many are large as objects."""
        for number, share in enumerate(self.shares):
            key, documents = f"source{number}".encode(), data.documents(share)
            while batch := list(islice(documents, _FILLED)):
                send_all(server, [pack(b"XADD", key, b"*", b"event", event) for event in batch])

    def run(self, flow: Flow) -> Mapping[str, float]:
        """Run a flow until all is committed."""
        sources = [f"{flow.server.url}/source{number}" for number in range(len(self.shares))]
        with (
            tempfile.TemporaryDirectory() as state,
            running(flow.command(state, sources)) as process,
        ):
            flow.wait_for(self.count, process)
            return {"flow": cpu_of(process.pid)}


Put = Callable[[pa.Table, Path, int], Place]


def send_all(server: Store, commands: Sequence[bytes]) -> None:
    """Send commands in one go, and read their replies."""
    wire = Wire(server.url)
    wire.send(commands)
    for _ in commands:
        wire.read()
    wire.close()


def as_parquet(table: pa.Table, folder: Path, processes: int) -> Place:  # noqa: ARG001 - one file for all
    """Put events into a Parquet file."""
    return File(len(table), data.write_parquet(table, folder / f"{len(table)}.parquet"))


def as_lines(table: pa.Table, folder: Path, processes: int) -> Place:  # noqa: ARG001 - one file for all
    """Put events into a file of JSON lines."""
    return File(len(table), data.write_lines(table, folder / f"{len(table)}.jsonl"))


def as_streams(table: pa.Table, folder: Path, processes: int) -> Place:  # noqa: ARG001 - in memory
    """Put events into as many Redis Streams as there are processes, a user always into the same."""
    users = pc.cast(pc.utf8_slice_codeunits(table["user_id"], 4), pa.int64())
    share = np.asarray(users) % processes
    return Streams([table.filter(pa.array(share == number)) for number in range(processes)])


def both(
    put: Put, table: pa.Table, folder: Path, scale: Scale, processes: int = 1
) -> tuple[Place, Place | None]:
    """Put events into a place, and one of them into another; a smoke does without the other."""
    one = None if scale.is_smoke else put(table.slice(0, 1), folder, processes)
    return put(table, folder, processes), one


def measured(flow: Flow, place: Place, one: Place | None) -> Sample:
    """Run a flow over a place, and over one event; the difference is what the events took.

    Args:
        flow: The flow.
        place: All events.
        one: The same kind of place with one event; None: starting counts like events.
    """
    start = _spent(flow, one) if one else Spent(0.0, {"flow": 0.0, "server": 0.0}, 0.0, 0.0)
    run = _spent(flow, place)
    cpu = {name: max(0.0, run.cpu[name] - start.cpu[name]) for name in run.cpu}
    seconds = max(run.seconds - start.seconds, 1e-3)
    spent = replace(run, cpu=cpu)
    return Sample(
        place.count / seconds,
        spent,
        place.count,
        {"run s": run.seconds, "start-up s": start.seconds},
    )


def cpu_per_event(sample: Sample) -> float:
    """Return the CPU microseconds of an event, ours and the server's."""
    return sum(sample.cpu_us(name) for name in (sample.spent.cpu if sample.spent else ()))


def _spent(flow: Flow, place: Place) -> Spent:
    flow.server.empty()
    place.fill(flow.server)
    spent = Meter({"server": flow.server.pid}).measure(lambda: place.run(flow))
    flow.check(place.count)
    return spent
