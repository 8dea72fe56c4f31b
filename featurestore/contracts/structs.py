"""Structs that decode JSON as a contract's shape says, and refuse what pydantic might refuse.

What a struct accepts, pydantic accepts with the same values; what it refuses may still be right
(``"5"`` for a number) and is left to pydantic. Instants, dates and UUIDs are decoded as the text
they are, for whole columns to be read at once.
"""

from typing import Annotated, Any, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

from featurestore.contracts.shape import (
    LARGEST,
    SMALLEST,
    Leaf,
    Member,
    Nested,
    Part,
    Required,
    Unclear,
)


def struct_of(shape: Nested, name: str = "Event") -> type[msgspec.Struct]:
    """Return the struct of a shape; its attributes are named by `attribute`.

    >>> amount = Member("amount", Leaf("float", {"ge": 0.0}), nullable=False, default=Required)
    >>> event = struct_of(Nested({"amount": amount}, forbids_others=False))
    >>> msgspec.json.decode(b'{"amount": 5, "more": [1]}', type=event)
    Event(f0=5.0)
    >>> msgspec.json.decode(b'{"amount": -5}', type=event)
    Traceback (most recent call last):
      ...
    msgspec.ValidationError: Expected `float` >= 0.0 - at `$.amount`
    """
    fields = [_field(n, member) for n, member in enumerate(shape.members.values())]
    return msgspec.defstruct(
        name,
        fields,
        rename={attribute(n): member.key for n, member in enumerate(shape.members.values())},
        forbid_unknown_fields=shape.forbids_others,
        kw_only=True,
        gc=False,  # events are trees that live for one block
    )


def attribute(place: int) -> str:
    """Name the attribute of the field at a place of its model.

    >>> attribute(3)
    'f3'
    """
    return f"f{place}"


def _field(place: int, member: Member) -> Any:
    type_ = _type(member.part)
    type_ = type_ | None if member.nullable else type_
    if member.default is Required or member.default is Unclear:
        return attribute(place), type_
    if isinstance(member.part, Leaf):
        return attribute(place), type_, member.default
    if isinstance(member.part, Nested):
        return attribute(place), type_, None
    return attribute(place), type_ | UnsetType, UNSET


def _type(part: Part | None) -> Any:
    if isinstance(part, Nested):
        return struct_of(part)
    if isinstance(part, Leaf):
        return _leaf(part)
    if part is None or part.type == "any":
        return Any
    items: Any = _type(part.items) | None if part.nullable_items else _type(part.items)
    return list[items] if part.type == "list" else dict[str, items]


def _leaf(leaf: Leaf) -> Any:
    if leaf.type == "choice":
        return Literal[leaf.choices]
    if leaf.type == "int":
        return Annotated[int, _whole(leaf)]
    if leaf.type in {"float", "decimal"}:
        bounds = _stronger if leaf.type == "float" else _strictly
        return Annotated[float, Meta(**bounds(leaf.limits))]
    if leaf.type == "vector":
        number: Any = Annotated[float, Meta(**_stronger(leaf.limits))]
        return Annotated[list[number], Meta(min_length=leaf.size, max_length=leaf.size)]
    if leaf.type == "datetime":  # seconds or milliseconds since 1970 are instants, too
        return str | Annotated[int, Meta(ge=SMALLEST, le=LARGEST)]
    if leaf.type == "bool":
        return bool
    return Annotated[str, Meta(**leaf.limits)] if leaf.limits else str


def _whole(leaf: Leaf) -> Meta:
    limits = leaf.limits
    least = max(limits.get("ge", SMALLEST), limits.get("gt", SMALLEST) + ("gt" in limits))
    most = min(limits.get("le", LARGEST), limits.get("lt", LARGEST) - ("lt" in limits))
    return Meta(ge=least, le=most, multiple_of=limits.get("multiple_of"))


def _stronger(limits: Any) -> dict[str, Any]:
    """Keep one bound a side, as msgspec wants it."""
    chosen = dict(limits)
    if {"ge", "gt"} <= chosen.keys():
        del chosen["ge" if chosen["gt"] >= chosen["ge"] else "gt"]
    if {"le", "lt"} <= chosen.keys():
        del chosen["le" if chosen["lt"] <= chosen["le"] else "lt"]
    return chosen


def _strictly(limits: Any) -> dict[str, Any]:
    """Refuse the bounds themselves: rounded to a float, a decimal beyond one may look equal."""
    lower = [limits[name] for name in ("ge", "gt") if name in limits]
    upper = [limits[name] for name in ("le", "lt") if name in limits]
    return {**({"gt": max(lower)} if lower else {}), **({"lt": min(upper)} if upper else {})}
