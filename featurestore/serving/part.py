"""A part: what one view contributes to a vector.

Whether the newest event of an entity is too old is asked as a feature is: a view with a maximum
age has one more window of that length, and a row without an event in it is stale. So age has the
same ends as every other window: an event exactly as old as allowed is too old.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from featurestore.aggregation.arrays import missing
from featurestore.aggregation.exactness import Exactness
from featurestore.aggregation.layout import Layout
from featurestore.aggregation.series import Mask, Series, Value
from featurestore.aggregation.short_rows import Read
from featurestore.definitions.served import Served
from featurestore.definitions.view import FeatureView
from featurestore.definitions.window import Window, parse_window
from featurestore.serving.readers import Reader, Row, reader_of
from featurestore.storage.keys import view_tag


@dataclass(frozen=True)
class Part:
    """What one view contributes to a vector.

    Attributes:
        view: The view.
        layout: What its rows are made of.
        tags: The hash tag of each of its shards.
        places: Where its values go.
        outputs: Which of the features of the layout they are; of one that ages one more.
    """

    view: FeatureView
    layout: Layout
    tags: list[bytes]
    places: list[int]
    outputs: list[int]

    @classmethod
    def of(cls, view: FeatureView, served: Sequence[Served]) -> "Part":
        """Work out what a view contributes to the places of a vector."""
        numbers = {feature.name: number for number, feature in enumerate(view.outputs)}
        mine = [(place, s) for place, s in enumerate(served) if s.view is view]
        places = [place for place, _ in mine]
        outputs = [numbers[s.feature.name] for _, s in mine]
        tags = [view_tag(view, shard) for shard in range(view.shards)]
        if view.max_age is None:
            return cls(view, Layout.of(view), tags, places, outputs)
        layout, windows = _Aged.of(view), len(view.parsed_windows)
        outputs = [output + output // windows for output in outputs]  # one more for each measure
        newest = outputs[0] // (windows + 1) * (windows + 1) + windows
        return cls(view, layout, tags, places, [*outputs, newest])

    @property
    def follows(self) -> bool:
        """Whether its clock is the newest event of its stream."""
        return self.view.clock == "event"

    @property
    def ages(self) -> bool:
        """Whether a row can be stale; the last value read of each tells."""
        return self.view.max_age is not None

    @cached_property
    def reader(self) -> Reader:
        """What reads its rows."""
        return reader_of(self.layout, self.outputs)

    @cached_property
    def exactness(self) -> Exactness:
        """What tells which of its values are exact."""
        return Exactness(self.layout, self.outputs)

    def fresh(self, rows: Sequence[Row], reads: Sequence[Read]) -> tuple[list[Read], list[bool]]:
        """Return what was read without the values of stale rows, and which rows those are."""
        stale = [
            row is not None and times[-1] is None
            for row, (_, times) in zip(rows, reads, strict=True)
        ]
        nothing: list[Value] = [None] * len(self.places)
        kept = [
            (nothing if old else values[:-1], times[:-1])
            for old, (values, times) in zip(stale, reads, strict=True)
        ]
        return kept, stale

    def fresh_columns(
        self, rows: Sequence[Row], columns: Sequence[Series], times: Sequence[Series]
    ) -> tuple[list[Series], list[Series], list[bool]]:
        """Return columns without the values of stale rows, and which rows those are."""
        stale = np.array([row is not None for row in rows]) & _absent(times[-1])
        return [of.without(stale) for of in columns[:-1]], list(times[:-1]), stale.tolist()


def _absent(times: Series) -> Mask:
    values = times.values
    return missing(values) if isinstance(values, np.ndarray) else np.ones(len(values), dtype=bool)


class _Aged(Layout):
    """The layout of a view with a maximum age, read through one more window."""

    @property
    def windows(self) -> list[Window]:
        """The windows of the view, and that in which the newest event must be."""
        assert self.view.max_age is not None
        return [*self.view.parsed_windows, parse_window(self.view.max_age)]
