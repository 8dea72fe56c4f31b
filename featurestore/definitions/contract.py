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
from pydantic import (
    AwareDatetime,
    BaseModel,
    FutureDate,
    FutureDatetime,
    NaiveDatetime,
    PastDate,
    PastDatetime,
)
from pydantic.fields import FieldInfo

LARGEST_VECTOR = 4096  # floats


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
    VECTOR = "vector"  # floats, always so many, as in an embedding

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
        size: How many floats a vector has; 0 for all other kinds.
    """

    name: str
    kind: Kind
    nullable: bool
    path: tuple[str, ...]
    size: int = 0

    @property
    def arrow_type(self) -> pa.DataType:
        """What it is in Arrow; of a vector a list of fixed size."""
        return arrow_type_of(self.kind, self.size)

    @property
    def type_text(self) -> str:
        """What it holds, as it is shown to people; see `type_text`."""
        return type_text(self.kind, self.size)


def arrow_type_of(kind: Kind, size: int) -> pa.DataType:
    """Return the type in Arrow of a kind of column, a vector of so many floats.

    >>> arrow_type_of(Kind.VECTOR, 3)
    FixedSizeListType(fixed_size_list<item: double>[3])
    """
    return pa.list_(pa.float64(), size) if kind is Kind.VECTOR else ARROW_TYPES[kind]


def type_text(kind: Kind, size: int) -> str:
    """Write a kind for people.

    >>> type_text(Kind.VECTOR, 3), type_text(Kind.FLOAT, 0)
    ('vector[3]', 'float')
    """
    return f"{kind.value}[{size}]" if size else kind.value


@lru_cache(maxsize=256)
def contract_columns(model: type[BaseModel]) -> dict[str, Column]:
    """Return the usable columns of a contract, in the order of its fields.

    A list of floats whose `min_length` and `max_length` are one number, from 1 to 4096, is a
    vector. Fields of other types (other lists, maps, unions, a model within itself) are checked
    like the rest of the contract, but are no columns.

    >>> class Card(BaseModel):
    ...     country: str | None
    >>> class Payment(BaseModel):
    ...     amount: float
    ...     card: Card
    >>> [(c.name, c.kind.value, c.nullable) for c in contract_columns(Payment).values()]
    [('amount', 'float', False), ('card.country', 'str', True)]
    """
    return {column.name: column for column in _columns((model,), (), nullable=False)}


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
    return Kind.VECTOR if vector_size(arrow_type) else None


def vector_size(arrow_type: pa.DataType) -> int:
    """Return how many floats vectors of an Arrow type have; 0 where it is none of vectors."""
    if not pa.types.is_fixed_size_list(arrow_type):
        return 0
    listed: Any = arrow_type
    fits = pa.types.is_floating(listed.value_type) and 1 <= listed.list_size <= LARGEST_VECTOR
    return int(listed.list_size) if fits else 0


def _columns(
    models: tuple[type[BaseModel], ...], path: tuple[str, ...], *, nullable: bool
) -> Iterator[Column]:
    """Yield the columns of the last of some models, each of which holds the next one."""
    for name, field in models[-1].model_fields.items():
        inner, optional = unwrap(field.annotation)
        optional = optional or field.default is None  # as in `amount: float = None`
        here = (*path, name)
        if isinstance(inner, type) and issubclass(inner, BaseModel):
            if inner not in models:  # what holds itself has no end
                yield from _columns((*models, inner), here, nullable=nullable or optional)
        elif (kind := _kind(inner)) is not None:
            yield Column(".".join(here), kind, nullable or optional, here)
        elif 1 <= (size := fixed_length(field)) <= LARGEST_VECTOR and is_listed_float(inner):
            yield Column(".".join(here), Kind.VECTOR, nullable or optional, here, size)


def unwrap(annotation: Any) -> tuple[Any, bool]:
    """Take Annotated, Optional and names for a type off it; says whether it was optional.

    >>> unwrap(Annotated[float | None, "unit: euro"])
    (<class 'float'>, True)
    """
    inner, optional, _ = _unwrapped(annotation)
    return inner, optional


def _unwrapped(annotation: Any) -> tuple[Any, bool, list[Any]]:
    """Return what `unwrap` does, and the notes of the Annotated taken off."""
    for named in ("__supertype__", "__value__"):  # of a NewType, of a type alias
        if hasattr(annotation, named):
            return _unwrapped(getattr(annotation, named))
    if get_origin(annotation) is Literal and None in get_args(annotation):
        some = tuple(value for value in get_args(annotation) if value is not None)
        return Literal[some], True, []
    if get_origin(annotation) is Annotated:
        inner, optional, notes = _unwrapped(get_args(annotation)[0])
        return inner, optional, [*get_args(annotation)[1:], *notes]
    if get_origin(annotation) in (Union, UnionType):
        arguments = [arg for arg in get_args(annotation) if arg is not NoneType]
        optional = len(arguments) < len(get_args(annotation))
        if len(arguments) == 1:
            inner, inside, notes = _unwrapped(arguments[0])
            return inner, optional or inside, notes
        return annotation, optional, []
    return annotation, False, []


def fixed_length(field: FieldInfo) -> int:
    """Return how long a field's list must be; 0 where that is not one number."""
    notes = [*field.metadata, *_unwrapped(field.annotation)[2]]
    flat = [each for n in notes for each in (n.metadata if isinstance(n, FieldInfo) else [n])]
    least: set[Any] = {getattr(note, "min_length", None) for note in flat} - {None}
    most = {getattr(note, "max_length", None) for note in flat} - {None}
    return int(least.pop()) if least == most and len(least) == 1 else 0


def is_listed_float(annotation: Any) -> bool:
    """Tell whether a type is a list of floats that are never None."""
    if get_origin(annotation) is not list:
        return False
    item, optional = unwrap(get_args(annotation)[0])
    return _kind(item) is Kind.FLOAT and not optional


_KINDS: tuple[tuple[type, Kind], ...] = (  # bool before int, datetime before date: subclasses first
    (bool, Kind.BOOL),
    (int, Kind.INT),
    (float, Kind.FLOAT),
    (Decimal, Kind.FLOAT),
    (str, Kind.TEXT),
    (UUID, Kind.TEXT),
    (datetime, Kind.DATETIME),
    (AwareDatetime, Kind.DATETIME),
    (NaiveDatetime, Kind.DATETIME),
    (PastDatetime, Kind.DATETIME),
    (FutureDatetime, Kind.DATETIME),
    (date, Kind.DATE),
    (PastDate, Kind.DATE),
    (FutureDate, Kind.DATE),
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
