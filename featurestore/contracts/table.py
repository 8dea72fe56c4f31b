"""A table of events: its columns found by the names of a contract's fields.

A model in a model is a struct column of that name, or columns named by dotted paths.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from featurestore.contracts.cells import plain
from featurestore.contracts.fixed_text import Mask
from featurestore.contracts.python_values import python_values


@dataclass(frozen=True, slots=True)
class Table:
    """Columns by name.

    Attributes:
        columns: Plain columns; of two that share a name, the last.
        size: How many rows there are.
        text: Whether all columns are text, as in a CSV file: an empty cell then says nothing.
        unsaid: Where a nested model is not there at all.
    """

    columns: Mapping[str, Any]
    size: int
    text: bool
    unsaid: Mask

    @classmethod
    def of(cls, batch: pa.RecordBatch, *, text: bool = False) -> "Table":
        """Take the columns of a batch; `text` where it is of a CSV file.

        >>> batch = pa.RecordBatch.from_pydict({"card.country": ["FR", ""], "amount": ["5", "6"]})
        >>> card = Table.of(batch, text=True).below("card")
        >>> card.columns["country"].to_pylist(), card.unsaid.tolist()
        (['FR', ''], [False, True])
        """
        columns = {n: plain(c) for n, c in zip(batch.schema.names, batch.columns, strict=True)}
        return cls(columns, batch.num_rows, text, np.zeros(batch.num_rows, np.bool_))

    def below(self, name: str) -> "Table | None":
        """Return the columns of a nested model, None when there are none."""
        column = self.columns.get(name)
        if column is not None:
            return self._struct(column) if pa.types.is_struct(column.type) else None
        prefix = name + "."
        found = {n.removeprefix(prefix): c for n, c in self.columns.items() if n.startswith(prefix)}
        if not found:
            return None
        unsaid = np.ones(self.size, np.bool_)
        for column in found.values():
            unsaid &= empty(column, text=self.text)
        return Table(found, self.size, self.text, unsaid | self.unsaid)

    def _struct(self, column: Any) -> "Table":
        names = [field.name for field in column.type]
        fields = {n: plain(pc.struct_field(column, [i])) for i, n in enumerate(names)}
        return Table(fields, self.size, text=False, unsaid=empty(column, text=False) | self.unsaid)

    def others(self, known: Sequence[str]) -> bool:
        """Tell whether there are columns that belong to none of the names."""
        prefixes = tuple(name + "." for name in known)
        return any(n not in known and not n.startswith(prefixes) for n in self.columns)

    def rows(self, places: Sequence[int]) -> list[dict[str, Any]]:
        """Return some rows as Python values by column name."""
        if not self.columns or not places:
            return [{} for _ in places]
        chosen = pa.array(places, pa.int64())
        values = [python_values(column.take(chosen)) for column in self.columns.values()]
        return [dict(zip(self.columns, row, strict=True)) for row in zip(*values, strict=True)]


def empty(column: Any, *, text: bool) -> Mask:
    """Tell which cells say nothing: nulls, and empty ones of text.

    >>> empty(pa.array(["", None, "a"]), text=True).tolist()
    [True, True, False]
    """
    if text and pa.types.is_string(column.type):
        column = pc.if_else(pc.equal(column, pa.scalar("")), pa.scalar(None, pa.string()), column)
    if not column.null_count:
        return np.zeros(len(column), np.bool_)
    nothing: Mask = np.asarray(pc.is_null(column))
    return nothing.copy() if not nothing.flags.writeable else nothing
