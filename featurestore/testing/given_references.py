"""References whose rows a test gives, in the place of those that lie somewhere."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from featurestore.contracts.reference_table import ReferenceTable
from featurestore.definitions.reference import Reference
from featurestore.definitions.stream import Stream
from featurestore.errors import SourceError
from flows.references import LiveReferences


@dataclass(frozen=True)
class GivenReferences:
    """The references of a stream.

    Attributes:
        given: Tables by the name of their reference.
        live: The others.
    """

    given: Mapping[str, ReferenceTable]
    live: LiveReferences

    @classmethod
    def of(cls, stream: Stream, rows: Mapping[str, Any]) -> "GivenReferences":
        """Take the rows that are given, and load the others.

        Raises:
            SourceError: One is not what its reference promises, or cannot be read.
        """
        given = {r.name: _table(r, rows[r.name]) for r in stream.references if r.name in rows}
        return cls(given, LiveReferences.of(r for r in stream.references if r.name not in rows))

    def table(self, reference: Reference) -> ReferenceTable:
        """Return a reference's rows."""
        return self.given.get(reference.name) or self.live.table(reference)


def _table(reference: Reference, rows: Any) -> ReferenceTable:
    try:
        given = hasattr(rows, "__arrow_c_stream__")
        whole = pa.table(rows) if given else _of_dicts(reference, rows)
        return ReferenceTable.of(reference, whole)
    except (ValueError, OverflowError, pa.ArrowException) as error:
        msg = f"reference {reference.name!r} (given): {error}"
        raise SourceError(msg) from error


def _of_dicts(reference: Reference, rows: Any) -> pa.Table:
    names = [reference.key, *reference.columns]
    return pa.table({name: pa.array([row.get(name) for row in rows]) for name in names})
