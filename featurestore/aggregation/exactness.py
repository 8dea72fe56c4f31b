"""Exactness: which values of a row are those of its events, one by one, and which may be off.

A value is exact where the window's ends cut no tile and nothing that could be in it was forgotten::

    exact       │ ▆▆▆  ▆▆  ·  ·· · │        may be off     ▆▆│▆  ▆▆  ·  ·· · │
              start               end                      start            end

1. A tile is *cut* by a moment that lies at or after its first event and before its last.
2. A row has *forgotten* something only if it has a tile (`compaction`); what it forgot is older
   than its newest event by the view's horizon, or more.
3. The last n events are exact where they are n without any that a tile holds besides; a session
   where no tile of it could hide a gap. Where either starts, older tiles do not matter.
4. An estimate, of a sketch or of counts that were too many, is not exact (`_is_estimate`).

"May be off" is no "is off": events in the cut tile may all lie on the right side of the edge.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from featurestore.aggregation.accumulators import (
    Accumulator,
    Counting,
    Distinct,
    Ranks,
    State,
    Tally,
)
from featurestore.aggregation.accumulators.accumulator import plain, ragged
from featurestore.aggregation.accumulators.sketches import sketches_of
from featurestore.aggregation.arrays import LARGEST, Ints
from featurestore.aggregation.computed import Computed
from featurestore.aggregation.frames import decode
from featurestore.aggregation.groups import Groups
from featurestore.aggregation.kernels import KERNELS
from featurestore.aggregation.layout import Layout
from featurestore.aggregation.membership import members
from featurestore.aggregation.records import Records, merged
from featurestore.aggregation.windows import sorted_tiles
from featurestore.definitions.window import Window, WindowKind

Mask = npt.NDArray[np.bool_]

_NEVER = -LARGEST  # before every moment


@dataclass(frozen=True)
class Exactness:
    """Tells which features of rows are exact.

    Args:
        layout: The view's layout.
        outputs: Which features: measure by measure, each over the windows of the layout.
    """

    layout: Layout
    outputs: Sequence[int]

    def of(self, rows: Sequence[bytes | None], now_us: int) -> list[Mask]:
        """Tell of each feature whether its value is exact, for each row.

        Args:
            rows: A row each; of one that is None, so that nothing is known of it, all is exact.
            now_us: The moment that features are read at, in microseconds UTC.

        Cost: some 200 µs, and 0.5 µs per record and window; more with sketches.
        """
        points, tiles = decode(self.layout, rows)
        held = _Held(
            sorted_tiles(self._estimating, points, tiles),
            np.isin(np.arange(len(rows)), tiles.rows),
            now_us,
            self.layout.view.horizon_us,
        )
        windows = {number: self._in_window(number, held) for number in self._windows}
        return [
            windows[window].exact & ~windows[window].estimated.get(measure, np.False_)
            for measure, window in self._wanted
        ]

    def _in_window(self, number: int, held: "_Held") -> "_InWindow":
        window = self.layout.windows[number]
        inside = members(window, held.records, np.full(len(held.records), held.now_us))
        return _InWindow(_is_exact(window, held, inside), self._estimated(held, inside))

    def _estimated(self, held: "_Held", inside: Ints) -> dict[int, Mask]:
        """Tell of each measure that may be an estimate for which rows it is one."""
        if not self._doubtful or not len(inside):
            return {}
        cut = held.records.take(inside)
        groups = Groups.of(cut.rows)
        state = merged(self._estimating, cut, groups).state
        found = {}
        for measure, accumulators in self._doubtful.items():
            found[measure] = np.zeros(len(held.lossy), dtype=bool)
            for accumulator in accumulators:
                found[measure][cut.rows[groups.starts]] |= _is_estimate(accumulator, state)
        return found

    @cached_property
    def _wanted(self) -> list[tuple[int, int]]:
        """For each feature the numbers of its measure and of its window in the layout."""
        return [divmod(output, len(self.layout.windows)) for output in self.outputs]

    @property
    def _windows(self) -> set[int]:
        return {window for _, window in self._wanted}

    @cached_property
    def _doubtful(self) -> dict[int, list[Accumulator]]:
        """By measure, the accumulators that may hold an estimate."""
        found = {m: _doubtful(self.layout.measures[m]) for m, _ in self._wanted}
        return {measure: accumulators for measure, accumulators in found.items() if accumulators}

    @cached_property
    def _estimating(self) -> Layout:
        """The layout with those accumulators only, and the counts that judge them."""
        needed = {each for accumulators in self._doubtful.values() for each in accumulators}
        kept = (a for a in self.layout.accumulators if a in needed or isinstance(a, Counting))
        return replace(self.layout, accumulators=tuple(kept) if needed else ())


class _InWindow(NamedTuple):
    """What is known of a window: per row whether it is exact, by measure which are estimates."""

    exact: Mask
    estimated: dict[int, Mask]


@dataclass(frozen=True)
class _Held:
    """What rows hold.

    Attributes:
        records: Events and tiles, as tiles, sorted by row and time.
        lossy: For each row whether it has a tile, so that it may have forgotten something.
        now_us: The moment it is asked for.
        horizon_us: How long before its newest event a row may forget.
    """

    records: Records
    lossy: Mask
    now_us: int
    horizon_us: int

    @cached_property
    def first(self) -> Ints:
        """When the first event of each record happened."""
        return self.records.column("first").astype(np.int64)

    @cached_property
    def last(self) -> Ints:
        """When the last event of each record happened."""
        return self.records.column("last").astype(np.int64)

    @cached_property
    def forgotten(self) -> Ints:
        """For each row until when it may have forgotten events; `_NEVER` where it has not."""
        newest = self.latest(self.last)
        return np.where(self.lossy, newest - self.horizon_us, _NEVER)

    def cut(self, at_us: int) -> Mask:
        """Tell which records are cut by a moment."""
        return (self.first <= at_us) & (self.last > at_us)

    def any(self, of: Mask, among: Ints | slice = slice(None)) -> Mask:
        """Tell for each row whether something is so of one of its records."""
        found = np.zeros(len(self.lossy), dtype=bool)
        found[self.records.rows[among][of[among]]] = True
        return found

    def latest(self, of: Ints) -> Ints:
        """Return for each row the largest of its records' moments, `_NEVER` without any."""
        found = np.full(len(self.lossy), _NEVER)
        np.maximum.at(found, self.records.rows, of)
        return found

    def earliest(self, of: Ints, among: Ints) -> Ints:
        """Return for each row the smallest of some records' moments, `LARGEST` without any."""
        found = np.full(len(self.lossy), LARGEST)
        np.minimum.at(found, self.records.rows[among], of[among])
        return found


def _is_exact(window: Window, held: _Held, inside: Ints) -> Mask:
    """Tell for each row whether the records in a window are those of its events."""
    start, end = window.span(held.now_us)
    ends_cut = held.any(held.cut(end))
    match window.kind:
        case WindowKind.LAST:
            return ~ends_cut & _are_last(window, held, inside, start)
        case WindowKind.SESSION:
            return ~ends_cut & _is_session(window, held, inside, (start, end))
    exact: Mask = ~(ends_cut | held.any(held.cut(start)) | (held.forgotten > start))
    return exact


def _are_last(window: Window, held: _Held, inside: Ints, start: int) -> Mask:
    """Tell for each row whether the last events are just these, should no tile be cut at the end.

    Where there are n, what matters is where the oldest record of them stands: at its last event.
    """
    oldest = held.earliest(held.last, inside)
    pure = (held.earliest(held.first, inside) >= oldest) & (held.forgotten < oldest)
    events = np.zeros(len(held.lossy), dtype=np.int64)
    np.add.at(events, held.records.rows[inside], held.records.column("n").astype(np.int64)[inside])
    fewer = ~(held.any(held.cut(start)) | (held.forgotten > start))
    exact: Mask = np.where(events >= window.events, pure, fewer)
    return exact


def _is_session(window: Window, held: _Held, inside: Ints, span: tuple[int, int]) -> Mask:
    """Tell for each row whether the session is just this, should no tile be cut at the end."""
    start, end = span
    hides_gap = held.last - held.first > window.gap_us
    off = held.any(hides_gap | held.cut(start), inside)
    begin = np.minimum(held.earliest(held.first, inside), end) - window.gap_us
    return ~(off | ((held.forgotten > start) & (held.forgotten >= begin)))


def _doubtful(measure: Computed) -> list[Accumulator]:
    each = [a for m in measure.everything() for a in KERNELS[m.measure.aggregation].accumulators(m)]
    return [a for a in each if isinstance(a, Distinct | Ranks | Tally)]


def _is_estimate(accumulator: Accumulator, state: State) -> Mask:
    """Tell which states have lost some of their values."""
    match accumulator:
        case Distinct() | Ranks():
            return np.array([bool(s) for s in sketches_of(state, accumulator.sketched)])
        case Tally():
            return _is_reduced(accumulator, state)
    return np.zeros(len(plain(state, "n")), dtype=bool)


def _is_reduced(tally: Tally, state: State) -> Mask:
    """Tell which counts do not add up to all values; where those were not counted, may not."""
    counts, events = ragged(state, f"{tally.name}.n"), plain(state, "n").astype(np.int64)
    if tally.of.counted not in state:
        return events > tally.capacity
    added = np.bincount(counts.owners(), counts.numbers, minlength=len(events))
    return added < plain(state, tally.of.counted)
