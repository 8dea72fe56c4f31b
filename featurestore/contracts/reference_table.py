"""A reference table in memory: keys to rows, columns to take from."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from featurestore.contracts.cells import convert, plain
from featurestore.contracts.shape import Leaf
from featurestore.definitions.contract import ARROW_TYPES, Kind
from featurestore.definitions.enrichment import Table
from featurestore.definitions.operators import finite
from featurestore.definitions.reference import Reference
from featurestore.errors import has, hint


@dataclass(frozen=True)
class ReferenceTable:
    """The rows of a reference, found by key.

    Attributes:
        places: For each key the row it has.
        columns: The columns, in the order of `Reference.columns`.
    """

    places: Mapping[Any, int]
    columns: Sequence[Any]

    @classmethod
    def of(cls, reference: Reference, table: pa.Table) -> "ReferenceTable":
        """Return a reference's rows.

        Args:
            reference: The reference.
            table: Its rows; other columns may stand in it.

        Raises:
            ValueError: A column is not there or of another type, a key is missing or there twice.

        Cost: some 2 µs a row, and 150 bytes and more.
        """
        keys = _column(table, reference.key, reference.key_kind).to_pylist()
        places = {key: place for place, key in enumerate(keys)}
        if None in places:
            msg = f"row {places[None]} has no {reference.key!r}; each must have one"
            raise ValueError(msg)
        if len(places) < len(keys):
            place = next(place for place, key in enumerate(keys) if places[key] != place)
            msg = f"key {keys[place]!r} stands in rows {place} and {places[keys[place]]}"
            raise ValueError(msg)
        return cls(places, [_column(table, n, kind) for n, kind in reference.kinds.items()])

    def look_up(self, keys: Any, at: Any = None) -> list[Any]:  # noqa: ARG002 - as it is now
        """Return the columns for an array of keys; missing where a key is, or is unknown.

        Cost: 0.1 µs an event, and 1 µs or more for each different key of a large table.

        >>> merchants = Reference("m", source="m.csv", key="id", columns={"risk": float})
        >>> table = ReferenceTable.of(merchants, pa.table({"id": ["a", "b"], "risk": [0.5, 1.5]}))
        >>> table.look_up(pa.array(["b", None, "z", "b"]))[0].to_pylist()
        [1.5, None, None, 1.5]
        """
        coded = keys.dictionary_encode()
        rows = pa.array([self.places.get(key) for key in coded.dictionary.to_pylist()], pa.int64())
        chosen = rows.take(coded.indices)
        return [column.take(chosen) for column in self.columns]


class Found(Protocol):
    """What a table holds."""

    def look_up(self, keys: Any, at: Any) -> list[Any]:
        """Return its columns for arrays of keys and of moments, missing where nothing is found."""


class References(Protocol):
    """What events are looked up in."""

    def table(self, of: Table) -> Found:
        """Return what a table holds."""


@dataclass(frozen=True)
class NoReferences:
    """Tables nobody has loaded: nothing is found in them."""

    def table(self, of: Table) -> ReferenceTable:
        """Return no rows."""
        columns = [pa.array([], ARROW_TYPES[kind]) for kind in of.kinds.values()]
        return ReferenceTable({}, columns)


NO_REFERENCES = NoReferences()


def _column(table: pa.Table, name: str, kind: Kind) -> Any:
    if name not in table.schema.names:
        msg = (
            f"there is no column {name!r} {has(table.schema.names)}{hint(name, table.schema.names)}"
        )
        raise ValueError(msg)
    if table.schema.names.count(name) > 1:
        msg = f"column {name!r} stands there twice; rename one"
        raise ValueError(msg)
    column = plain(table.column(name).combine_chunks())
    if kind is Kind.DATETIME and pa.types.is_string(column.type):
        column = _instants(name, column)
    try:
        return finite(pc.cast(column, ARROW_TYPES[kind]))
    except pa.ArrowException as error:
        cause = str(error).splitlines()[0]
        msg = f"column {name!r} is {column.type} and no {kind.value}: {cause}"
        raise ValueError(msg) from error


def _instants(name: str, texts: Any) -> Any:
    """Read instants as contracts do: without an offset they are UTC."""
    values, right = convert(texts, Leaf("datetime", {}), Kind.DATETIME)
    wrong = np.asarray(pc.is_valid(texts)) & ~right
    if wrong.any():
        row = int(np.flatnonzero(wrong)[0])
        msg = f"column {name!r}, row {row}: {texts[row].as_py()!r} is no instant"
        raise ValueError(msg)
    return values
