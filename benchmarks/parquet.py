"""Events per second from Parquet, end to end: from the source to rows in the server."""

from collections.abc import Iterator

from benchmarks.harness.alone import alone
from benchmarks.harness.claim import Row
from benchmarks.harness.ingest import as_parquet
from benchmarks.harness.scale import Scale
from benchmarks.harness.sources import source_rows

TARGETS = {"zipf": "900 k events/s on 2 cores", "uniform": "300 k events/s on 2 cores"}


def rows(scale: Scale) -> Iterator[Row]:
    """Measure it."""
    return source_rows("parquet", "Parquet", as_parquet, scale.longer(6), TARGETS)


if __name__ == "__main__":
    alone("parquet")
