"""Distinct counts: the library's own state against the sketches it might have been.

Values are spread over 60 tiles, as many as a window has at least; the tiles are what a row keeps,
and reading merges them. Other sketches come from the same library, so bytes and errors are theirs;
that they are updated value by value from Python costs all of them the same.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import datasketches as ds
import numpy as np

from benchmarks.harness.alone import alone
from benchmarks.harness.claim import Row, Sample, interleaved, middle
from benchmarks.harness.scale import Scale
from featurestore.aggregation.accumulators import Distinct, State, Wire
from featurestore.aggregation.accumulators.accumulator import Input, ragged
from featurestore.aggregation.accumulators.sketches import sketches_of
from featurestore.aggregation.arrays import Ints
from featurestore.aggregation.groups import Groups

TILES = 60
VALUES = (100, 1_000, 10_000, 1_000_000)
VALUE = Input("value", Wire.INT, nullable=False)
OURS = "256 hashes, then CPC 12"


class Counter(Protocol):
    """A way to count different values."""

    def tiles(self, parts: Sequence[Ints]) -> Any:
        """Return the state of each tile."""

    def size(self, tiles: Any) -> int:
        """Return how many bytes states take."""

    def merged(self, tiles: Any) -> Any:
        """Return the state of all tiles together."""

    def estimate(self, merged: Any) -> float:
        """Return how many values that is."""


@dataclass(frozen=True)
class Ours:
    """What the library keeps."""

    distinct: Distinct

    def tiles(self, parts: Sequence[Ints]) -> State:
        """Merge the values of each tile."""
        values = np.concatenate(parts)
        owners = np.repeat(np.arange(len(parts)), [len(part) for part in parts])
        lifted = self.distinct.lift(np.zeros(len(values), np.int64), [values])
        return self.distinct.merge(lifted, Groups.of(owners), {})

    def size(self, tiles: State) -> int:
        """Add up hashes and sketches."""
        hashes = int(ragged(tiles, self.distinct.name).lengths.sum())
        return 8 * hashes + sum(map(len, sketches_of(tiles, self.distinct.sketched)))

    def merged(self, tiles: State) -> State:
        """Merge all tiles."""
        count = len(ragged(tiles, self.distinct.name).lengths)
        return self.distinct.merge(tiles, Groups.of(np.zeros(count, np.int64)), {})

    def estimate(self, merged: State) -> float:
        """Read it."""
        return float(self.distinct.estimate(merged)[0])


@dataclass(frozen=True)
class Sketches:
    """A kind of sketch: how one is made, read, united, and written."""

    empty: Callable[[], Any]
    read: Callable[[bytes], Any]
    union: Callable[[], Any]
    united: Callable[[Any], Any] = lambda union: union.get_result()
    written: Callable[[Any], bytes] = lambda sketch: bytes(sketch.serialize())

    def tiles(self, parts: Sequence[Ints]) -> list[bytes]:
        """Make a sketch of each tile."""
        return [self.written(self._of(part)) for part in parts]

    def _of(self, values: Ints) -> Any:
        sketch = self.empty()
        for value in values.tolist():
            sketch.update(value)
        return sketch

    def size(self, tiles: Sequence[bytes]) -> int:
        """Add up."""
        return sum(map(len, tiles))

    def merged(self, tiles: Sequence[bytes]) -> Any:
        """Unite all tiles."""
        union = self.union()
        for tile in tiles:
            union.update(self.read(tile))
        return self.united(union)

    def estimate(self, merged: Any) -> float:
        """Read it."""
        return float(merged.get_estimate())


def _cpc(lg_k: int) -> Sketches:
    return Sketches(
        lambda: ds.cpc_sketch(lg_k), ds.cpc_sketch.deserialize, lambda: ds.cpc_union(lg_k)
    )


def _hll(lg_k: int) -> Sketches:
    kind = ds.tgt_hll_type.HLL_4
    return Sketches(
        lambda: ds.hll_sketch(lg_k, kind),
        ds.hll_sketch.deserialize,
        lambda: ds.hll_union(lg_k),
        lambda union: union.get_result(kind),
        lambda sketch: bytes(sketch.serialize_compact()),
    )


def _theta(lg_k: int) -> Sketches:
    return Sketches(
        lambda: ds.update_theta_sketch(lg_k),
        ds.compact_theta_sketch.deserialize,
        lambda: ds.theta_union(lg_k),
        written=lambda sketch: bytes(sketch.compact().serialize()),
    )


OTHERS: dict[str, Counter] = {
    "CPC 11": _cpc(11),
    "CPC 12": _cpc(12),
    "CPC 13": _cpc(13),
    "HLL 11 of 4 bits": _hll(11),
    "HLL 12 of 4 bits": _hll(12),
    "theta 10": _theta(10),
    "theta 12": _theta(12),
}


def rows(scale: Scale) -> Iterator[Row]:
    """Measure each number of values, ours beside every other."""
    for count in VALUES[:2] if scale.is_smoke else VALUES:
        sets = max(1, min(40, 2_000_000 // count // scale.runs))
        takes = {
            name: _taking(counter, count, sets)
            for name, counter in ({OURS: Ours(Distinct(VALUE))} | OTHERS).items()
        }
        samples = interleaved(scale.runs, takes)
        for name in OTHERS:
            yield Row(
                "distinct_sketches",
                f"{count:,} different values in {TILES} tiles",
                "bytes",
                samples[OURS],
                name,
                samples[name],
                note=f"{name}: {_figures(samples[name])}",
            )


def _taking(counter: Counter, count: int, sets: int) -> Callable[[], Sample]:
    random = np.random.default_rng(count)

    def take() -> Sample:
        drawn = [random.integers(0, 2**62, count) for _ in range(sets)]
        started = time.process_time()
        tiles = [counter.tiles(np.array_split(values, TILES)) for values in drawn]
        updated = time.process_time()
        merged = [counter.merged(each) for each in tiles]
        united = time.process_time()
        found = np.array([counter.estimate(each) for each in merged])
        ended = time.process_time()
        figures = {
            "error %": 100 * float(np.sqrt(np.mean((found / count - 1) ** 2))),
            "update ns/value": (updated - started) / sets / count * 1e9,
            "merge µs": (united - updated) / sets * 1e6,
            "estimate µs": (ended - united) / sets * 1e6,
        }
        return Sample(sum(map(counter.size, tiles)) / sets, also=figures)

    return take


def _figures(samples: Sequence[Sample]) -> str:
    names = samples[0].also
    return ", ".join(
        f"{name} {middle(samples, lambda s, n=name: s.also[n]):.3g}"  # type: ignore[misc] # n is bound
        for name in names
    )


if __name__ == "__main__":
    alone("distinct_sketches")
