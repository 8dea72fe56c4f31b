"""Bytes per entity in Redis, against a hash per entity and window in two layouts."""

import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

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
                "all three windows",
                "events per entity",
                points if (each, name) == (counts[-1], PACKED) else {},
            )


def _measured(scale: Scale, each: int) -> Mapping[str, Figure]:
    """Write the same events in each layout, into a server each."""
    entities = max(20, min(scale.entities // 5, scale.events // each))
    drawn = np.random.default_rng(9).permutation(np.repeat(np.arange(entities), each))
    table = data.of_users(drawn, _DAY_US)
    layouts: dict[str, Callable[[Store], None]] = {
        ROWS: lambda server: _ours(server, table),
        STATISTICS: lambda server: hash_per_statistic.write(server.url, table),
        PACKED: lambda server: hash_per_tile.write(server.client, table),
    }
    return {name: _figure(entities, write) for name, write in layouts.items()}


def _ours(server: Store, table: pa.Table) -> None:
    with tempfile.TemporaryDirectory() as folder:
        place, flow = as_parquet(table, Path(folder), 1), Flow(server)
        place.run(flow)
        flow.check(place.count)


def _figure(entities: int, write: Callable[[Store], None]) -> Figure:
    """Return the memory that an entity's keys take: what is free once they are gone.

    What is there once per store is left out, and so is what the server keeps once per command that
    it was ever sent (its histograms of latency: half a megabyte for ours).
    """
    with store() as server:
        write(server)
        encodings, fixed = _encodings(server), server.memory_of(b"{*}!*")
        before = server.memory()
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
