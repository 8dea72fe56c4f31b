"""decayed_count, decayed_total, decayed_mean."""

from collections.abc import Sequence

import numpy as np

from featurestore.aggregation.accumulators import Accumulator, Decayed
from featurestore.aggregation.arrays import Floats
from featurestore.aggregation.computed import Cells, Computed, Result, divided, finite
from featurestore.aggregation.kernels.kernel import Kernel, counted


def _decayed(of: Computed, *, sums: bool) -> Decayed:
    half_life_us = of.measure["half_life_us"]
    assert isinstance(half_life_us, int)
    return Decayed(of.input, half_life_us, sums)


def _now(decayed: Decayed, cells: Cells) -> Floats:
    """Return what is left at the window's end."""
    return cells.column(decayed.name) * decayed.left(cells.end_us - cells.column("last"))


def _count(of: Computed, cells: Cells, _: Sequence[Result]) -> Floats:
    return _now(_decayed(of, sums=False), cells)


def _total(of: Computed, cells: Cells, _: Sequence[Result]) -> Floats:
    sums = _now(_decayed(of, sums=True), cells)
    return finite(np.where(cells.counts(of.input) == 0, np.nan, sums))


def _both(of: Computed) -> list[Accumulator]:
    return [_decayed(of, sums=True), _decayed(of, sums=False)]


def _mean(of: Computed, cells: Cells, _: Sequence[Result]) -> Floats:
    total, count = (cells.column(_decayed(of, sums=sums).name) for sums in (True, False))
    return divided(total, count)


KERNELS = {
    "decayed_count": Kernel(lambda of: [_decayed(of, sums=False)], _count),
    "decayed_total": Kernel(lambda of: [*counted(of.input), _decayed(of, sums=True)], _total),
    "decayed_mean": Kernel(_both, _mean),
}
