"""What can be read of events that break their contract: the fields that are right in themselves."""

from collections.abc import Iterable, Sequence
from functools import reduce
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from featurestore.contracts.cells import convert
from featurestore.contracts.piece import Piece
from featurestore.contracts.shape import Leaf, LeafType
from featurestore.definitions.contract import Column, Kind

_LEAVES: dict[Kind, LeafType] = {
    Kind.INT: "int",
    Kind.FLOAT: "float",
    Kind.BOOL: "bool",
    Kind.TEXT: "str",
    Kind.DATETIME: "datetime",
    Kind.DATE: "date",
    Kind.VECTOR: "vector",
}
_WIDEST = 2**63


def readable(events: Sequence[object], columns: Iterable[Column]) -> Piece:
    """Return columns of events, missing where a field cannot be read; limits do not matter.

    Args:
        events: JSON as Python has it.
        columns: Columns of the contract.

    >>> user = Column("user", Kind.TEXT, nullable=False, path=("user",))
    >>> found = readable([{"user": "u1", "cents": "many"}, {"user": 7}, []], [user])
    >>> found.columns["user"].to_pylist()
    ['u1', None, None]
    """
    found = {c.name: _column([field_of(event, c) for event in events], c) for c in columns}
    return Piece(np.arange(len(events)), found)


def field_of(event: object, column: Column) -> Any:
    """Return a field of an event, None where it is not there.

    >>> field_of({"card": {"country": "FR"}}, Column("c", Kind.TEXT, True, ("card", "country")))
    'FR'
    """
    path = column.path or (column.name,)
    return reduce(lambda at, name: at.get(name) if isinstance(at, dict) else None, path, event)


def _column(values: Sequence[Any], column: Column) -> Any:
    """Read the values of each type of JSON as one column, and join those that are right."""
    leaf = Leaf(_LEAVES[column.kind], {}, size=column.size)
    arrow_type: Any = column.arrow_type
    found: Any = pa.nulls(len(values), arrow_type)
    for type_, sent_as in _TYPES.items():
        some = [value if _is_plain(value, type_) else None for value in values]
        if any(value is not None for value in some):
            converted, right = convert(pa.array(some, sent_as), leaf, column.kind)
            found = pc.if_else(pa.array(right), converted, found)
    return found


_TYPES: dict[type, Any] = {
    str: pa.string(),
    bool: pa.bool_(),
    int: pa.int64(),
    float: pa.float64(),
    list: pa.list_(pa.float64()),
}


def _is_plain(value: object, type_: type) -> bool:
    """Tell whether a value is of a type and fits its column in Arrow."""
    if type(value) is not type_:
        return False
    if isinstance(value, list):
        return all(type(item) in {int, float} for item in value)
    return not isinstance(value, int) or -_WIDEST <= value < _WIDEST
