"""Look-ups: what a flow looks its events up in, references and the newest events of other streams.

The newest events of a stream are rows of a view like any other (`Latest.view`), committed by
whichever flow reads that stream. They are read from the store when a block is decoded, and cut at
the time of each event. So

1. an event finds what happened at or before it, as far as that was committed when it was decoded;
2. an event that is decoded again after a crash finds the same, unless some older event of the other
   stream was committed in between. Then a block of which some shards were committed counts under
   the old values in those and under the new ones in the others; in a view whose entity is named by
   such a column it may count for both, or for none.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from featurestore.aggregation.arrays import from_arrow
from featurestore.aggregation.entity_keys import encode_keys
from featurestore.aggregation.latest import latest
from featurestore.aggregation.layout import Layout
from featurestore.contracts.reference_table import Found, ReferenceTable
from featurestore.definitions.contract import Kind
from featurestore.definitions.enrichment import Table
from featurestore.definitions.latest import Latest
from featurestore.definitions.reference import Reference
from featurestore.definitions.stream import Stream
from featurestore.errors import StoreRefused
from featurestore.storage.keys import row_key, view_tag
from flows.references import LiveReferences


class Fetch(Protocol):
    """What reads rows: `storage.rows.Rows`, or a dictionary in tests."""

    def fetch(self, keys: Sequence[bytes]) -> Sequence[bytes | None]:
        """Return the row under each key, None where there is none."""


class Tables(Protocol):
    """What has the rows of references."""

    def table(self, reference: Reference) -> ReferenceTable:
        """Return a reference's rows."""


@dataclass(frozen=True)
class LatestRows:
    """The newest events of a stream, in the rows of a view.

    Attributes:
        of: What is looked up in.
        layout: The layout of its view.
        tags: The tags of its shards.
        rows: What reads rows.
    """

    of: Latest
    layout: Layout
    tags: Sequence[bytes]
    rows: Fetch

    @classmethod
    def reading(cls, of: Latest, rows: Fetch) -> "LatestRows":
        """Return what looks up in a stream's newest events."""
        tags = [view_tag(of.view, shard) for shard in range(of.view.shards)]
        return cls(of, Layout.of(of.view), tags, rows)

    def look_up(self, keys: Any, at: Any) -> list[Any]:
        """Return its columns for arrays of keys and of event times.

        Raises:
            StoreError: The rows cannot be read.

        Cost: one round trip for all different keys, and `aggregation.latest.latest`.
        """
        asked, names = encode_keys([keys])
        rows = self.rows.fetch([row_key(self.tags, name) for name in names.to_pylist()])
        times = from_arrow(at, Kind.DATETIME).astype("int64", copy=False)
        try:
            return latest(self.layout, rows, asked, times, self.of.max_age_us)
        except ValueError as error:
            msg = f"view {self.of.view.name!r}: {error}; something else wrote to its rows"
            raise StoreRefused(msg) from error


@dataclass(frozen=True)
class LookUps:
    """What the events of one stream are looked up in.

    Attributes:
        references: The tables of references.
        latest: By identity, what looks up in newest events.
    """

    references: Tables
    latest: Mapping[int, LatestRows]

    @classmethod
    def of(cls, stream: Stream, rows: Fetch, references: Tables | None = None) -> "LookUps":
        """Return what a stream is looked up in; loads its references, unless they are given.

        Raises:
            SourceError: A reference cannot be read.
        """
        latest = {id(table): LatestRows.reading(table, rows) for table in _latest(stream)}
        return cls(references or LiveReferences.of(stream.references), latest)

    def table(self, of: Table) -> Found:
        """Return what a table holds."""
        if isinstance(of, Reference):
            return self.references.table(of)
        return self.latest[id(of)]


def _latest(stream: Stream) -> Iterable[Latest]:
    return (made.table for made in stream.enrich if isinstance(made.table, Latest))
