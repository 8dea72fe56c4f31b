"""The claims about a source: events per second end to end, for one process and for two."""

import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pyarrow as pa

from benchmarks.harness import data
from benchmarks.harness.claim import Row, Sample, interleaved
from benchmarks.harness.ingest import Flow, Put, both, measured
from benchmarks.harness.scale import Scale
from benchmarks.harness.store import store


def source_rows(
    claim: str, source: str, put: Put, scale: Scale, targets: dict[str, str]
) -> Iterator[Row]:
    """Measure a source: zipf and uniform users, one process and several in turn."""
    for skew in scale.skews:
        table = data.payments(skew, scale.events, scale.entities)
        with tempfile.TemporaryDirectory() as folder, store() as server:
            takes = {
                str(count): _take(put, table, Path(folder), Flow(server, processes=count), scale)
                for count in scale.processes
            }
            samples = interleaved(scale.runs, takes)
        what, (one, *more) = f"events from {source}, {skew}", samples
        target = targets[skew]
        yield Row(claim, f"{what}, {one} process", "events/s", samples[one], target=target)
        for count in more:
            with_more = f"{what}, {count} processes"
            yield Row(
                claim, with_more, "events/s", samples[count], "1 process", samples[one], target
            )
            yield Row(
                claim,
                f"{with_more}, by the workers' CPU alone",
                "events/s",
                [_own_share(sample, int(count)) for sample in samples[count]],
                "1 process",
                [_own_share(sample, 1) for sample in samples[one]],
                "≥ 1.6",
                "what they would reach with a core each, and the server one of its own",
            )


def _own_share(sample: Sample, processes: int) -> Sample:
    return Sample(1e6 * processes / max(sample.cpu_us("flow"), 1e-3))


def _take(
    put: Put, table: pa.Table, folder: Path, flow: Flow, scale: Scale
) -> Callable[[], Sample]:
    place, one = both(put, table, folder, scale, flow.processes)
    return lambda: measured(flow, place, one)
