"""How the cost of an event grows: with aggregations, windows, views, entities."""

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

from benchmarks.harness import data
from benchmarks.harness.alone import alone
from benchmarks.harness.claim import Row, Sample, Samples, interleaved, middle
from benchmarks.harness.ingest import Flow, Place, as_parquet, both, cpu_per_event, measured
from benchmarks.harness.scale import Scale
from benchmarks.harness.shapes import shaped
from benchmarks.harness.store import Store, store
from benchmarks.limit import alone_in

AXES: Mapping[str, Sequence[int]] = {
    "aggregations": (5, 10, 25, 50),
    "windows": (1, 2, 4, 8),
    "views": (1, 2, 5),
}
_FRAME = 42  # bytes that an event adds to a row, as `limit` finds


def rows(scale: Scale) -> Iterator[Row]:
    """Measure each axis, all its steps in turn; a figure is CPU, ours and the server's."""
    for axis in scale.axes:
        steps = AXES[axis]
        some = (steps[0], steps[-1]) if scale.is_smoke else steps
        takes = {size: {axis: size} for size in some}
        yield _row(axis, some, _measured(scale, takes, scale.entities), "sub-linear")
    yield from _by_entities(scale)


def _by_entities(scale: Scale) -> Iterator[Row]:
    """Measure as many events of ever more entities; of many a run meets a part."""
    steps = scale.entity_steps
    samples = {size: _measured(scale, {size: {}}, size)[size] for size in steps}
    yield _row("entities", steps, samples, "sub-linear")
    by_rows = {size: [_of_a_row(sample) for sample in samples[size]] for size in steps}
    row = _row("entities", steps, by_rows, "flat", "row")
    with store() as server:
        alone = [(float(size), _alone(server, scale, size)) for size in steps]
    note = f"server alone: {', '.join(f'{cost:.2f} of {size:,.0f}' for size, cost in alone)}"
    yield replace(row, note=f"{row.note}; {note}", series={**row.series, "server alone": alone})


def _alone(server: Store, scale: Scale, entities: int) -> float:
    """Return what an APPEND to one of so many keys costs the server, µs."""
    samples = [alone_in(server, scale.events, entities, _FRAME) for _ in range(scale.runs)]
    return middle(samples, partial(Sample.cpu_us, name="server"))


def _measured(
    scale: Scale, shapes: Mapping[int, Mapping[str, int]], entities: int
) -> dict[int, list[Sample]]:
    table = data.payments("uniform", scale.events, entities)
    with tempfile.TemporaryDirectory() as name, store() as server:
        folder = Path(name)
        place, one = both(as_parquet, table, folder, scale)
        flows = {str(size): Flow(server, shaped(folder, **axes)) for size, axes in shapes.items()}
        takes = {size: partial(_cost, flow, place, one) for size, flow in flows.items()}
        samples = interleaved(scale.runs, takes)
    return {size: samples[str(size)] for size in shapes}


def _cost(flow: Flow, place: Place, one: Place | None) -> Sample:
    """Measure what an event costs, and how many rows are appended to for it.

    Events of one entity that are written together cost one append: the fewer entities, the less.
    """
    sample = measured(flow, place, one)
    appended = flow.server.calls("append") / place.count
    also = {**sample.also, "rows/event": appended}
    return Sample(cpu_per_event(sample), sample.spent, sample.work, also)


def _of_a_row(sample: Sample) -> Sample:
    """Return the cost of appending to a row, everything before it included."""
    rows_each = sample.also["rows/event"]
    work = sample.work * rows_each
    return Sample(sample.value / rows_each, sample.spent, work, sample.also)


def _row(
    axis: str, steps: Sequence[int], by_size: Mapping[int, Samples], goal: str, of: str = "event"
) -> Row:
    least, most = steps[0], steps[-1]
    target = f"{goal}: < {most / least:g}" if goal == "sub-linear" else f"{goal}: about 1"
    points = [(float(size), middle(by_size[size])) for size in steps]
    shares = {
        name: [
            (float(size), middle(by_size[size], partial(Sample.cpu_us, name=name)))
            for size in steps
        ]
        for name in ("flow", "server")
    }
    return Row(
        "growth",
        f"cost of {'an event' if of == 'event' else 'a row appended to'}, {most:,} {axis}",
        f"CPU µs/{of}",
        by_size[most],
        f"{least:,} {axis}",
        by_size[least],
        target,
        "uniform users, Parquet, 1 process",
        axis,
        {"flow + server": points, **shares},
    )


if __name__ == "__main__":
    alone("growth")
