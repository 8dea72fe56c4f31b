"""Fields alone: what a contract makes of one field of an event, whatever the others are."""

from collections.abc import Iterator, Sequence
from typing import Any

from pydantic import BaseModel, ConfigDict, create_model, field_validator, model_validator

from featurestore.contracts.verdict import Fault, Judge
from featurestore.definitions.contract import Column, unwrap


def alone(contract: type[BaseModel], column: Column) -> Judge:
    """Return what judges one column of a contract, and passes over all that is beside it.

    Aliases, validators and defaults are those of the contract; of its validators as a whole those
    that run before its fields do.

    >>> from featurestore.definitions.contract import Kind
    >>> class Payment(BaseModel):
    ...     user: int
    ...     amount: float
    >>> user = Column("user", Kind.INT, nullable=False, path=("user",))
    >>> alone(Payment, user).json(b'{"user": "7", "amount": "much"}')
    [7]
    """
    return Judge(_part(contract, column.path), [column], "")


def value_alone(judge: Judge, document: bytes) -> Any:
    """Return the value of the column of a judge made by `alone`; None where it has none."""
    verdict = judge.json(document)
    return None if isinstance(verdict, Fault) else verdict[0]


def _part(contract: type[BaseModel], path: Sequence[str]) -> type[BaseModel]:
    """Return a model that has one field of another one, and of that again one, and so on."""
    name, *rest = path
    field = contract.model_fields[name]
    annotation: Any = field.annotation
    if rest:
        inner, optional = unwrap(annotation)
        part = _part(inner, rest)
        annotation = part | None if optional else part
    fields: dict[str, Any] = {name: (annotation, field)}
    made: type[BaseModel] = create_model(
        contract.__name__,
        __config__=ConfigDict(**{**contract.model_config, "extra": "ignore"}),
        __validators__=dict(_checks(contract, name)),
        **fields,
    )
    return made


def _checks(contract: type[BaseModel], name: str) -> Iterator[tuple[str, Any]]:
    decorators = contract.__pydantic_decorators__
    for key, check in decorators.field_validators.items():
        if not {name, "*"}.isdisjoint(check.info.fields):
            yield key, field_validator(name, mode=check.info.mode)(staticmethod(check.func))
    for key, whole in decorators.model_validators.items():
        if whole.info.mode == "before":
            yield key, model_validator(mode="before")(staticmethod(whole.func))
