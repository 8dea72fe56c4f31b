"""Bytes per entity in Redis, against a hash per entity and window in two layouts.

Entities have up to a tenth more or fewer events than the figure says, evenly. A row of ours grows
until it is compacted; of entities of thousands of events it is measured after each of some steps
that together are longer than that takes, and the mean is the figure.
"""

import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from statistics import mean

import numpy as np
import pyarrow as pa

from benchmarks.harness import data
from benchmarks.harness.alone import alone
from benchmarks.harness.claim import Row, Sample
from benchmarks.harness.ingest import Flow, as_parquet
from benchmarks.harness.scale import Scale
from benchmarks.harness.store import Store, store
from benchmarks.peers import hash_per_statistic, hash_per_tile
from benchmarks.peers.alive_tiles import LENGTHS_AND_HOPS

EVENTS_EACH = (1, 10, 100, 10_000)
ROWS, STATISTICS, PACKED = (
    "rows",
    "a hash per window, a field per tile and statistic",
    "a hash per window, 36 packed bytes per tile",
)
_NOTES = {
    STATISTICS: "any worker may write, as ours",
    PACKED: "one writer alone, who reads before it writes",
}
_LINES = {ROWS: "rows", STATISTICS: "hash, a field per statistic", PACKED: "hash, packed"}
_STEPS, _STEP = 8, 50  # of so many events per entity
_DAY_US = 24 * 3_600_000_000

Figure = tuple[Sample, str]


def rows(scale: Scale) -> Iterator[Row]:
    """Measure entities of few events and of many, spread over a day."""
    counts = EVENTS_EACH[1:2] if scale.is_smoke else EVENTS_EACH
    found = {each: _measured(scale, each) for each in counts}
    points = {
        line: [(float(each), layouts[name][0].value) for each, layouts in found.items()]
        for name, line in _LINES.items()
    }
    for each, layouts in found.items():
        for name in (STATISTICS, PACKED):
            theirs, encodings = layouts[name]
            yield Row(
                "memory",
                f"an entity of {each:,} events in a day",
                "bytes/entity",
                [layouts[ROWS][0]],
                name,
                [theirs],
                "≤ 0.5",
                f"{_NOTES[name]} ({encodings}); keys and the server's own overhead included; "
                f"all three windows; {_said(each)}",
                "events per entity",
                points if (each, name) == (counts[-1], PACKED) else {},
            )


def _measured(scale: Scale, each: int) -> Mapping[str, Figure]:
    """Write the same events in each layout, into a server each."""
    entities = max(20, min(scale.entities // 5, scale.events // each))
    counts = np.linspace(0.9 * each, 1.1 * each, entities).round().astype(np.int64)
    drawn = np.random.default_rng(9).permutation(np.repeat(np.arange(entities), counts))
    table = data.of_users(drawn, _DAY_US)
    steps = _STEPS if _grows(each) else 0
    layouts: dict[str, Callable[[Store], Iterator[None]]] = {
        ROWS: lambda server: _ours(server, table, steps, entities * _STEP),
        STATISTICS: lambda server: _once(lambda: hash_per_statistic.write(server.url, table)),
        PACKED: lambda server: _once(lambda: hash_per_tile.write(server.client, table)),
    }
    return {name: _figure(entities, write) for name, write in layouts.items()}


def _grows(each: int) -> bool:
    """Whether a row of so many events is compacted again and again."""
    return each > 2 * _STEPS * _STEP


def _said(each: int) -> str:
    if not _grows(each):
        return f"of {0.9 * each:.0f} to {1.1 * each:.0f} events"
    return (
        f"of {0.9 * each:,.0f} to {1.1 * each:,.0f} events, ours the mean of {_STEPS + 1} moments, "
        f"{_STEP} events apart"
    )


def _ours(server: Store, table: pa.Table, steps: int, step: int) -> Iterator[None]:
    """Write the events, the newest of them step by step."""
    flow, start = Flow(server), 0
    for end in range(len(table) - steps * step, len(table) + 1, step):
        with tempfile.TemporaryDirectory() as folder:
            as_parquet(table.slice(start, end - start), Path(folder), 1).run(flow)
        flow.check(end)
        yield
        start = end


def _once(write: Callable[[], None]) -> Iterator[None]:
    write()
    yield


def _figure(entities: int, write: Callable[[Store], Iterator[None]]) -> Figure:
    """Return the memory that an entity's keys take: what is free once they are gone.

    What is there once per store is left out. The server keeps no histogram of latency, which takes
    half a megabyte for the commands of ours.
    """
    with store("--latency-tracking", "no") as server:
        before = mean(server.memory() for _ in write(server))
        encodings, fixed = _encodings(server), server.memory_of(b"{*}!*")
        server.client.execute_command("FLUSHALL", "SYNC")
        return Sample((before - server.memory() - fixed) / entities), encodings


def _encodings(server: Store) -> str:
    """Say how the server keeps most hashes of each window."""
    found: dict[str, str] = {}
    for window in LENGTHS_AND_HOPS:
        keys = list(server.client.scan_iter(f"*:{window}".encode(), count=10_000))[:100]
        kinds = Counter(server.client.object("encoding", key).decode() for key in keys)
        found |= {window: kinds.most_common(1)[0][0]} if kinds else {}
    return ", ".join(f"{window} {kind}" for window, kind in found.items())


if __name__ == "__main__":
    alone("memory")
