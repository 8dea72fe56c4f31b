"""Rows in memory, filled as the store would fill them: frames appended, prefixes compacted."""

from collections.abc import Mapping, Sequence
from math import ceil
from typing import Any

from featurestore.aggregation.compaction import compact
from featurestore.aggregation.layout import Layout
from featurestore.aggregation.partial import partial
from tests.strategies import Road, batch


class Rows:
    def __init__(self, layout: Layout) -> None:
        self.layout = layout
        self.frames: dict[bytes, list[bytes]] = {}

    def append(self, events: Sequence[Mapping[str, Any]]) -> None:
        touched = partial(self.layout, batch(events, self.layout.view.stream))
        pairs = zip(touched.keys.to_pylist(), touched.frames.to_pylist(), strict=True)
        for key, frame in pairs:
            self.frames.setdefault(key, []).append(frame)

    def compact(self, share: float = 1.0) -> None:
        """Compact the oldest frames of every row, as if the others came meanwhile."""
        for key, frames in self.frames.items():
            read = ceil(share * len(frames))
            (short,) = compact(self.layout, [b"".join(frames[:read])])
            self.frames[key] = [short, *frames[read:]]

    def travel(self, events: Sequence[Mapping[str, Any]], road: Road) -> None:
        for block, share in zip(road.blocks, road.compactions, strict=True):
            self.append([events[place] for place in block])
            if share:
                self.compact(share)

    def row(self, key: bytes) -> bytes | None:
        return b"".join(self.frames[key]) if key in self.frames else None
