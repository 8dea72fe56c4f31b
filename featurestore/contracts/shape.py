"""The shape of a contract: what whole columns can check exactly as pydantic does.

It is read off pydantic's core schema, the very thing pydantic runs, and only what is listed here
is taken over. Anything else (validators, hooks, unions, strict mode, constraints of other kinds,
recursive models, several names for one field …) gives no shape, and pydantic checks every event
of the stream: some 3 to 10 µs an event instead of about one.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from enum import Enum
from typing import Any, Final, Literal, TypeAlias
from uuid import UUID

from pydantic import BaseModel

SMALLEST: Final = -(2**63) + 1  # -2**63 stands for a missing value in the aggregation
LARGEST: Final = 2**63 - 1
_HUGE: Final = 2**1000  # any float has room for less

LeafType: TypeAlias = Literal[
    "int", "float", "decimal", "str", "bool", "datetime", "date", "uuid", "choice", "vector"
]


class Required:
    """Stands for the default of a field that has none."""


class Unclear:
    """Stands for a default that only pydantic can make: by a factory, or checked."""


@dataclass(frozen=True, slots=True)
class Leaf:
    """One value.

    Attributes:
        type: What it is.
        limits: Constraints by pydantic's names: ge gt le lt multiple_of min_length max_length
            pattern. Those of a vector are about each of its floats.
        choices: What is allowed, for a Literal or an Enum.
        size: How many floats a vector has.
    """

    type: LeafType
    limits: Mapping[str, Any]
    choices: tuple[str | int, ...] = ()
    size: int = 0


@dataclass(frozen=True, slots=True)
class Many:
    """A list, a map or anything at all: checked, but no column."""

    type: Literal["list", "dict", "any"]
    items: "Part | None" = None
    nullable_items: bool = False


@dataclass(frozen=True, slots=True)
class Nested:
    """A model: its members by attribute name, and whether it forbids others."""

    members: "Mapping[str, Member]"
    forbids_others: bool


Part: TypeAlias = Leaf | Many | Nested


@dataclass(frozen=True, slots=True)
class Member:
    """One field of a model.

    Attributes:
        key: Its name in events.
        part: What it holds.
        nullable: Whether null is allowed.
        default: The column's value where the field is missing, `Required` or `Unclear`.
    """

    key: str
    part: Part
    nullable: bool
    default: Any


def shape_of(model: type[BaseModel]) -> Nested | None:
    """Return the shape of a contract, None when only pydantic can check it.

    >>> class Payment(BaseModel):
    ...     amount: float = 0
    >>> shape_of(Payment).members["amount"]
    Member(key='amount', part=Leaf(type='float', limits={}, choices=(), size=0), \
nullable=False, default=0.0)
    """
    model.model_rebuild()
    try:
        shape = _part(model.__pydantic_core_schema__, {})
    except _OnlyPydanticError:
        return None
    return shape if isinstance(shape, Nested) else None


class _OnlyPydanticError(Exception):
    """This part of a contract cannot be taken over."""


_NOTES = {"type", "ref", "metadata", "serialization"}  # keys that do not change what is accepted
_NUMBER = {"ge", "gt", "le", "lt"}
_LIMITS: dict[str, set[str]] = {
    "int": {*_NUMBER, "multiple_of"},
    "float": {*_NUMBER, "allow_inf_nan"},  # what is not finite is rejected in any case
    "decimal": _NUMBER,
    "str": {"min_length", "max_length", "pattern"},
    "bool": set(),
    "datetime": {"microseconds_precision"},
    "date": set(),
    "uuid": set(),
}


def _part(schema: Any, models: dict[str, Any]) -> Part:
    kind = schema["type"]
    if kind == "definitions":
        return _part(schema["schema"], {d["ref"]: d for d in schema["definitions"]})
    if kind == "definition-ref":
        return _referred(schema, models)
    if kind == "model":
        return _model(schema, models)
    if kind in _LIMITS:
        return _leaf(schema)
    if kind in {"literal", "enum"}:
        return _choice(schema)
    if kind == "list" and {"min_length", "max_length"} & schema.keys():
        return _vector(schema, models)
    return _many(schema, models)


def _only(schema: Mapping[str, Any], allowed: set[str]) -> None:
    if not set(schema) - _NOTES <= allowed:
        raise _OnlyPydanticError


def _referred(schema: Any, models: dict[str, Any]) -> Part:
    _only(schema, {"schema_ref"})
    ref = schema["schema_ref"]
    others = {other: model for other, model in models.items() if other != ref}
    if ref not in models:  # it refers to itself
        raise _OnlyPydanticError
    return _part(models[ref], others)


def _model(schema: Any, models: dict[str, Any]) -> Nested:
    _only(schema, {"cls", "schema", "config", "custom_init", "root_model", "frozen"})
    config, fields = schema.get("config", {}), schema["schema"]
    _only(config, {"title", "extra_fields_behavior", "frozen"})
    if schema.get("custom_init") or schema.get("root_model") or fields["type"] != "model-fields":
        raise _OnlyPydanticError
    _only(fields, {"fields", "model_name", "computed_fields"})
    members = {name: _member(name, field, models) for name, field in fields["fields"].items()}
    return Nested(members, config.get("extra_fields_behavior") == "forbid")


_FIELD = {"schema", "validation_alias", "serialization_alias", "serialization_exclude", "frozen"}


def _member(name: str, field: Any, models: dict[str, Any]) -> Member:
    _only(field, _FIELD)
    key = field.get("validation_alias", name)
    if not isinstance(key, str) or not re.fullmatch(r'[^"\\\x00-\x1f\ud800-\udfff]+', key):
        raise _OnlyPydanticError
    schema, default = field["schema"], None
    if schema["type"] == "default":
        _only(schema, _DEFAULT)
        schema, default = schema["schema"], schema
    part, nullable = _nullable(schema, models)
    return Member(key, part, nullable, _default(default, part))


def _nullable(schema: Any, models: dict[str, Any]) -> tuple[Part, bool]:
    if schema["type"] != "nullable":
        return _part(schema, models), False
    _only(schema, {"schema"})
    return _part(schema["schema"], models), True


_DEFAULT = {
    "schema",
    "default",
    "default_factory",
    "default_factory_takes_data",
    "validate_default",
    "copy_default",
}


def _default(schema: Any, part: Part) -> Any:
    """Return the column's value for a missing field; `Unclear` leaves the event to pydantic."""
    if schema is None:
        return Required
    if schema.get("validate_default"):
        return Unclear
    if isinstance(part, Many) and schema.get("default_factory", list) in (list, dict):
        return None
    if "default" not in schema:
        return Unclear
    value = schema["default"]
    return _plain(value, part) if value is not None else None


def _plain(value: Any, part: Part) -> Any:
    value = value.value if isinstance(value, Enum) else value
    match part, value:
        case Leaf(type="choice", choices=(first, *_)), _ if type(value) is not type(first):
            return Unclear
        case Leaf(type="bool"), bool():
            return value
        case Leaf(type="str") | Leaf(type="choice"), str():
            return value if value.isascii() else Unclear
        case Leaf(type="uuid"), UUID():
            return str(value)
        case Leaf(type="int") | Leaf(type="choice"), int() if SMALLEST <= value <= LARGEST:
            return int(value)
        case ((Leaf(type="float") | Leaf(type="decimal")), (int() | float() | Decimal())):
            return float(value) if -_HUGE < value < _HUGE else Unclear
    return Unclear


def _leaf(schema: Any) -> Leaf:
    kind = schema["type"]
    _only(schema, _LIMITS[kind])
    limits = {name: schema[name] for name in schema if name in {*_NUMBER, *_LIMITS["str"]}}
    if kind in {"int", "float", "decimal"}:
        limits = {name: _bound(kind, limit) for name, limit in limits.items()}
    if "multiple_of" in schema:
        limits["multiple_of"] = _bound("int", schema["multiple_of"])
    if "pattern" in limits:
        limits["pattern"] = _pattern(limits["pattern"])
    return Leaf(kind, limits)


def _bound(kind: str, limit: Any) -> int | float:
    if kind == "int" and type(limit) is int and SMALLEST < limit < LARGEST:
        return limit
    if kind != "int" and isinstance(limit, int | float | Decimal) and -_HUGE < limit < _HUGE:
        bound = float(limit)
        if bound == limit:
            return bound
    raise _OnlyPydanticError


_SIMPLE = re.compile(
    r"\^(?:[A-Za-z0-9_ :@/-]|\\[dw]|\[(?:[A-Za-z0-9]-[A-Za-z0-9]|[A-Za-z0-9_])+-?\]"
    r"|\{\d+(?:,\d*)?\}|[+*?])*\$"
)
_UNBOUNDED = re.compile(r"[+*]|,\}")


def _pattern(pattern: Any) -> str:
    r"""Return a pattern that Python, RE2 and Rust read alike, accepting no more than the original.

    ``$`` is the very end in Rust, ``\d`` any digit of Unicode; nested repeats and all that can
    make Python's matching slow are left to pydantic.

    >>> _pattern(r"^[A-Z]{2}\d+$")
    '^[A-Z]{2}[0-9]+\\Z'
    """
    if not isinstance(pattern, str) or not _SIMPLE.fullmatch(pattern):
        raise _OnlyPydanticError
    if len(_UNBOUNDED.findall(pattern)) > 1 or re.search(r"[+*?}][+*?{]|\{\d{4}", pattern):
        raise _OnlyPydanticError
    inner = pattern[:-1].replace(r"\d", "[0-9]").replace(r"\w", "[A-Za-z0-9_]")
    try:
        re.compile(inner)
    except re.error as error:
        raise _OnlyPydanticError from error
    return inner + r"\Z"


def _choice(schema: Any) -> Leaf:
    if schema["type"] == "enum":
        _only(schema, {"cls", "members", "sub_type", "missing"})
        values = [member.value for member in schema["members"]]
    else:
        _only(schema, {"expected"})
        values = schema["expected"]
    if not all(type(v) is str or (type(v) is int and SMALLEST <= v <= LARGEST) for v in values):
        raise _OnlyPydanticError
    return Leaf("choice", {}, tuple(values))


def _vector(schema: Any, models: dict[str, Any]) -> Leaf:
    """Return a list of so many floats; one that may have more or fewer only pydantic can check."""
    _only(schema, {"items_schema", "min_length", "max_length"})
    size, items = (
        schema.get("min_length"),
        _part(schema.get("items_schema", {"type": "any"}), models),
    )
    if not size or size != schema.get("max_length"):
        raise _OnlyPydanticError
    if not isinstance(items, Leaf) or items.type != "float":
        raise _OnlyPydanticError
    return Leaf("vector", items.limits, size=size)


def _many(schema: Any, models: dict[str, Any]) -> Many:
    kind = schema["type"]
    if kind == "any":
        _only(schema, set())
        return Many("any")
    if kind == "list":
        _only(schema, {"items_schema"})
        return Many("list", *_items(schema.get("items_schema", {"type": "any"}), models))
    if kind == "dict":
        _only(schema, {"keys_schema", "values_schema"})
        if schema.get("keys_schema", {"type": "str"}) != {"type": "str"}:
            raise _OnlyPydanticError
        return Many("dict", *_items(schema.get("values_schema", {"type": "any"}), models))
    raise _OnlyPydanticError


def _items(schema: Any, models: dict[str, Any]) -> tuple[Part, bool]:
    part, nullable = _nullable(schema, models)
    if not _settled(part):
        raise _OnlyPydanticError
    return part, nullable


def _settled(part: Part | None) -> bool:
    """Tell whether decoding alone decides, without a look at the whole column afterwards."""
    if isinstance(part, Nested):
        return all(_settled(member.part) for member in part.members.values())
    if isinstance(part, Leaf):
        return part.type not in {"datetime", "date", "uuid", "decimal"}
    return True
