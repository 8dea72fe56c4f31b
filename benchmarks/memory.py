"""Bytes per entity in Redis, against a hash per entity and window with a field per tile."""

import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa

from benchmarks.harness import data
from benchmarks.harness.alone import alone
from benchmarks.harness.claim import Row, Sample
from benchmarks.harness.ingest import Flow, as_parquet
from benchmarks.harness.scale import Scale
from benchmarks.harness.store import Store, store
from benchmarks.peers.hash_per_tile import write

EVENTS_EACH = (1, 10, 100, 10_000)
_DAY_US = 24 * 3_600_000_000


def rows(scale: Scale) -> Iterator[Row]:
    """Measure entities of few events and of many, spread over a day."""
    counts = EVENTS_EACH[1:2] if scale.is_smoke else EVENTS_EACH
    found = {each: _both(scale, each) for each in counts}
    points = {
        "rows": [(float(each), ours.value) for each, (ours, _) in found.items()],
        "hash per tile": [(float(each), theirs.value) for each, (_, theirs) in found.items()],
    }
    for each, (ours, theirs) in found.items():
        yield Row(
            "memory",
            f"an entity of {each:,} events in a day",
            "bytes/entity",
            [ours],
            "a hash per window, a field per tile",
            [theirs],
            "≤ 0.5",
            "keys and the server's own overhead included; all three windows",
            "events per entity",
            points if each == counts[-1] else {},
        )


def _both(scale: Scale, each: int) -> tuple[Sample, Sample]:
    entities = max(20, min(scale.entities // 5, scale.events // each))
    drawn = np.random.default_rng(9).permutation(np.repeat(np.arange(entities), each))
    table = data.of_users(drawn, _DAY_US)
    # A server each: what one has let go of is not free at once, and would be taken off the other's.
    with tempfile.TemporaryDirectory() as folder, store() as server:
        ours = _bytes(server, entities, lambda: _ours(server, Path(folder), table))
    with store() as server:
        theirs = _bytes(server, entities, lambda: write(server.client, table))
    return Sample(ours), Sample(theirs)


def _ours(server: Store, folder: Path, table: pa.Table) -> None:
    place, flow = as_parquet(table, folder, 1), Flow(server)
    place.run(flow)
    flow.check(place.count)


def _bytes(server: Store, entities: int, work: Callable[[], None]) -> float:
    """Return the memory of an entity's keys; what is there once per store is left out."""
    before = server.memory()
    work()
    fixed = server.memory_of(b"{*}!*")
    return (server.memory() - before - fixed) / entities


if __name__ == "__main__":
    alone("memory")
