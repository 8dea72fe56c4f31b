"""Events per second from Redis Streams, end to end: from the source to rows in the server."""

from collections.abc import Iterator

from benchmarks.harness.alone import alone
from benchmarks.harness.claim import Row
from benchmarks.harness.ingest import as_streams
from benchmarks.harness.scale import Scale
from benchmarks.harness.sources import source_rows

TARGETS = {"zipf": "250 k events/s on 2 cores", "uniform": "83 k events/s on 2 cores"}


def rows(scale: Scale) -> Iterator[Row]:
    """Measure it."""
    return source_rows("streams", "Redis Streams", as_streams, scale.longer(3), TARGETS)


if __name__ == "__main__":
    alone("streams")
