"""How the cost of a look-up grows: with features, entities per request, events in a row."""

import tempfile
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path

import numpy as np

from benchmarks.harness import data
from benchmarks.harness.alone import alone
from benchmarks.harness.api import Api, body, filled, lookups, ours
from benchmarks.harness.claim import Row, Sample, Samples, interleaved, middle
from benchmarks.harness.ingest import Flow, as_parquet
from benchmarks.harness.load import Asks
from benchmarks.harness.scale import Scale
from benchmarks.harness.shapes import shaped
from benchmarks.harness.store import Store, store
from benchmarks.serving import AGGREGATIONS, WINDOWS

FEATURES = {10: "ten", 50: "fifty", 100: "hundred"}
ENTITIES = (1, 10, 100, 1000)
EVENTS = (1, 10, 100, 1_000, 10_000)
_CONNECTIONS = 8
_USERS = 20  # of each number of events
_HOUR_US = 3_600_000_000


def rows(scale: Scale) -> Iterator[Row]:
    """Measure each axis, its steps in turn; a figure is CPU of the API, which is less noisy."""
    with (
        filled(scale, aggregations=AGGREGATIONS, windows=WINDOWS) as (server, definitions),
        ours(server, definitions) as api,
    ):
        features = {size: lookups(scale, service, 1) for size, service in FEATURES.items()}
        yield _row("features", _measured(scale, server, api, features), "linear or better")
        entities = {size: lookups(scale, "ten", size) for size in ENTITIES}
        yield _row(
            "entities per request", _measured(scale, server, api, entities), "linear or better"
        )
    yield _row("events in a row", _rows_of_many_events(scale), "bounded")


def _rows_of_many_events(scale: Scale) -> dict[int, list[Sample]]:
    steps = EVENTS[:3] if scale.is_smoke else EVENTS
    each = np.repeat(np.array(steps), _USERS)
    drawn = np.random.default_rng(9).permutation(np.repeat(np.arange(len(each)), each))
    with tempfile.TemporaryDirectory() as name, store() as server:
        definitions = shaped(Path(name), aggregations=AGGREGATIONS, windows=WINDOWS)
        as_parquet(data.of_users(drawn, _HOUR_US), Path(name), 1).run(Flow(server, definitions))
        asks = {
            size: Asks("/v1/features/ten", [body([place * _USERS + n]) for n in range(_USERS)])
            for place, size in enumerate(steps)
        }
        with ours(server, definitions) as api:
            return _measured(scale, server, api, asks)


def _measured(
    scale: Scale, server: Store, api: Api, asks: Mapping[int, Asks]
) -> dict[int, list[Sample]]:
    takes = {
        str(size): partial(api.measured, server, some, _CONNECTIONS, scale.seconds)
        for size, some in asks.items()
    }
    samples = interleaved(scale.runs, takes)
    return {size: [_cost(sample) for sample in samples[str(size)]] for size in asks}


def _cost(sample: Sample) -> Sample:
    return Sample(_api(sample), sample.spent, sample.work, sample.also)


def _api(sample: Sample) -> float:
    return sample.cpu_us("api")


def _store(sample: Sample) -> float:
    return sample.cpu_us("server")


def _row(axis: str, by_size: Mapping[int, Samples], goal: str) -> Row:
    least, *_, most = by_size
    lines = {
        share: [(float(size), middle(some, of)) for size, some in by_size.items()]
        for share, of in (("API", _api), ("store", _store))
    }
    linear = f"{goal}: < {most / least:g}" if goal != "bounded" else goal
    return Row(
        "serving_growth",
        f"cost of a look-up, {most:,} {axis}",
        "CPU µs/request",
        by_size[most],
        f"{least:,} {axis}",
        by_size[least],
        linear,
        f"{_CONNECTIONS} connections",
        axis,
        lines,
    )


if __name__ == "__main__":
    alone("serving_growth")
