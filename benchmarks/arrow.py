"""A thousand entities in one request: as Arrow, against the same as JSON."""

from collections.abc import Iterator
from functools import partial

from benchmarks.harness.alone import alone
from benchmarks.harness.api import filled, lookups, ours
from benchmarks.harness.claim import Row, Sample, interleaved
from benchmarks.harness.scale import Scale
from benchmarks.serving import AGGREGATIONS, WINDOWS

ARROW = "application/vnd.apache.arrow.stream"
ENTITIES = 1000


def rows(scale: Scale) -> Iterator[Row]:
    """Measure it over one connection."""
    with (
        filled(scale, aggregations=AGGREGATIONS, windows=WINDOWS) as (server, definitions),
        ours(server, definitions) as api,
    ):
        asks = {
            "arrow": lookups(scale, "ten", ENTITIES, ARROW),
            "json": lookups(scale, "ten", ENTITIES),
        }
        takes = {
            name: partial(api.measured, server, some, 1, scale.seconds)
            for name, some in asks.items()
        }
        samples = interleaved(scale.runs, takes)
    arrow, text = ([_p50(sample) for sample in samples[name]] for name in asks)
    what = f"{ENTITIES:,} x 10 as Arrow, p50, 1 connection"
    yield Row("arrow", what, "ms", arrow, "the same as JSON", text, "p50 < 5 ms")


def _p50(sample: Sample) -> Sample:
    return Sample(sample.also["p50 ms"], sample.spent, sample.work, sample.also)


if __name__ == "__main__":
    alone("arrow")
