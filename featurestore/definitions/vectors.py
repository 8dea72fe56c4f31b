"""Vectors: which lists of a contract are columns of them, and what can be said of such a column.

A vector is worked on as a whole: it is added up component by component, or it is missing. Of the
operators of expressions only `is_null` and a choice of events (`where=`) take one.
"""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from featurestore.definitions.contract import (
    LARGEST_VECTOR,
    Column,
    Kind,
    fixed_length,
    is_listed_float,
    unwrap,
)
from featurestore.definitions.expression import Expression

CURE = "Annotated[list[float], Field(min_length=n, max_length=n)]"


def why_no_vector(model: type[BaseModel], name: str) -> str | None:
    """Say why a list of a contract is no column; None where the name is that of no such list.

    Args:
        model: The contract.
        name: The field, of a nested model by its dotted path.

    >>> class Item(BaseModel):
    ...     taste: list[float]
    >>> print(why_no_vector(Item, "taste"))
    is a list of any length, which no feature can be computed of; make it a vector of n floats, \
as in Annotated[list[float], Field(min_length=n, max_length=n)]
    """
    field = _field(model, name.split("."))
    if field is None:
        return None
    annotation, _ = unwrap(field.annotation)
    if get_origin(annotation) is not list:
        return None
    if not is_listed_float(annotation):
        item, optional = unwrap(get_args(annotation)[0])
        if item not in {int, float, Decimal}:
            return None
        listed = f"{item.__name__}{' | None' if optional else ''}"
        return f"is a list of {listed}, which is no column; a vector is {CURE}"
    if (size := fixed_length(field)) > LARGEST_VECTOR:
        return f"has {size} floats, but a vector may have 1 to {LARGEST_VECTOR}"
    return (
        "is a list of any length, which no feature can be computed of; make it a vector of n "
        f"floats, as in {CURE}"
    )


def misuse(expression: Expression, columns: Mapping[str, Column]) -> str | None:
    """Say which operator of an expression is given a vector and takes none; None if none is.

    >>> from featurestore.definitions.expression import column
    >>> columns = {"taste": Column("taste", Kind.VECTOR, nullable=False, path=(), size=8)}
    >>> misuse(column("taste").is_null(), columns)
    >>> print(misuse(column("taste") * 2 > 1, columns))
    (taste * 2) cannot be computed: taste is a vector, of which only is_null() is an expression; \
add it up with total or mean, and choose events with where=
    """
    inner = [each for each in expression.operands if isinstance(each, Expression)]
    vectors = [each for each in inner if _is_vector(each, columns)]
    if vectors and not _takes_vector(expression, columns):
        return (
            f"{expression} cannot be computed: {vectors[0]} is a vector, of which only is_null() "
            "is an expression; add it up with total or mean, and choose events with where="
        )
    return next((found for each in inner if (found := misuse(each, columns))), None)


def _is_vector(operand: object, columns: Mapping[str, Column]) -> bool:
    if not isinstance(operand, Expression):
        return False
    if operand.operator == "column":
        column = columns.get(str(operand.operands[0]))
        return column is not None and column.kind is Kind.VECTOR
    return operand.operator == "if" and _is_vector(operand.operands[1], columns)


def _takes_vector(expression: Expression, columns: Mapping[str, Column]) -> bool:
    choice = expression.operator == "if" and not _is_vector(expression.operands[0], columns)
    return choice or expression.operator == "is_null"


def _field(model: Any, path: list[str]) -> FieldInfo | None:
    name, *deeper = path
    if not (isinstance(model, type) and issubclass(model, BaseModel)):
        return None
    field = model.model_fields.get(name)
    if field is None or not deeper:
        return field
    return _field(unwrap(field.annotation)[0], deeper)
