"""The columns of a contract: what of a pydantic model can be used in features and keys.

A nested model gives one column per leaf, named by its dotted path: ``card.country``.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from enum import Enum, StrEnum
from functools import lru_cache
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin
from uuid import UUID

import pyarrow as pa
from pydantic import BaseModel


class Kind(StrEnum):
    """The kinds of value a column, a key or a feature can hold."""

    INT = "int"
    FLOAT = "float"
    BOOL = "bool"
    TEXT = "str"
    DATETIME = "datetime"
    DATE = "date"
    LIST = "list"  # only of features: items of one of the kinds above
    MAP = "map"  # only of features: how often which value

    @property
    def is_number(self) -> bool:
        """Whether values can be added up; a boolean counts as 0 or 1."""
        return self in {Kind.INT, Kind.FLOAT, Kind.BOOL}


ARROW_TYPES: dict[Kind, pa.DataType] = {
    Kind.INT: pa.int64(),
    Kind.FLOAT: pa.float64(),
    Kind.BOOL: pa.bool_(),
    Kind.TEXT: pa.string(),
    Kind.DATETIME: pa.timestamp("us", tz="UTC"),
    Kind.DATE: pa.date32(),
}


@dataclass(frozen=True, slots=True)
class Column:
    """One column of a stream.

    Attributes:
        name: Its name; a leaf of a nested model by its dotted path.
        kind: What it holds.
        nullable: Whether an event may have none.
        path: The attributes that lead to it in the model.
    """

    name: str
    kind: Kind
    nullable: bool
    path: tuple[str, ...]


@lru_cache(maxsize=256)
def contract_columns(model: type[BaseModel]) -> dict[str, Column]:
    """Return the usable columns of a contract, in the order of its fields.

    Fields of other types (lists, maps, unions) are checked like the rest of the contract, but
    are no columns.

    >>> class Card(BaseModel):
    ...     country: str | None
    >>> class Payment(BaseModel):
    ...     amount: float
    ...     card: Card
    >>> [(c.name, c.kind.value, c.nullable) for c in contract_columns(Payment).values()]
    [('amount', 'float', False), ('card.country', 'str', True)]
    """
    return {column.name: column for column in _columns(model, (), nullable=False)}


def kind_of(arrow_type: pa.DataType) -> Kind | None:
    """Return the kind that values of an Arrow type have, None where no kind fits."""
    if pa.types.is_boolean(arrow_type):
        return Kind.BOOL
    if pa.types.is_integer(arrow_type):
        return Kind.INT
    if pa.types.is_floating(arrow_type) or pa.types.is_decimal(arrow_type):
        return Kind.FLOAT
    if pa.types.is_string(arrow_type) or pa.types.is_large_string(arrow_type):
        return Kind.TEXT
    if pa.types.is_timestamp(arrow_type):
        return Kind.DATETIME
    if pa.types.is_date(arrow_type):
        return Kind.DATE
    return None


def _columns(model: type[BaseModel], path: tuple[str, ...], *, nullable: bool) -> Iterator[Column]:
    for name, field in model.model_fields.items():
        inner, optional = unwrap(field.annotation)
        here = (*path, name)
        if isinstance(inner, type) and issubclass(inner, BaseModel):
            yield from _columns(inner, here, nullable=nullable or optional)
        elif (kind := _kind(inner)) is not None:
            yield Column(".".join(here), kind, nullable or optional, here)


def unwrap(annotation: Any) -> tuple[Any, bool]:
    """Take Annotated and Optional off a type; says whether it was optional.

    >>> unwrap(Annotated[float | None, "unit: euro"])
    (<class 'float'>, True)
    """
    if get_origin(annotation) is Annotated:
        return unwrap(get_args(annotation)[0])
    if get_origin(annotation) in (Union, UnionType):
        inner = [arg for arg in get_args(annotation) if arg is not NoneType]
        optional = len(inner) < len(get_args(annotation))
        if len(inner) == 1:
            return unwrap(inner[0])[0], optional
        return annotation, optional
    return annotation, False


_KINDS: tuple[tuple[type, Kind], ...] = (  # bool before int, datetime before date: subclasses first
    (bool, Kind.BOOL),
    (int, Kind.INT),
    (float, Kind.FLOAT),
    (Decimal, Kind.FLOAT),
    (str, Kind.TEXT),
    (UUID, Kind.TEXT),
    (datetime, Kind.DATETIME),
    (date, Kind.DATE),
)


def _kind(annotation: Any) -> Kind | None:
    if get_origin(annotation) is Literal:
        return _kind_of_values(get_args(annotation))
    if not isinstance(annotation, type):
        return None
    if issubclass(annotation, Enum):
        return _kind_of_values([member.value for member in annotation])
    return next((kind for type_, kind in _KINDS if issubclass(annotation, type_)), None)


def _kind_of_values(values: Any) -> Kind | None:
    kinds = {_kind(type(value)) for value in values}
    return kinds.pop() if len(kinds) == 1 else None
