"""Columns: which columns of a table an event's contract looks at."""

from collections.abc import Callable, Iterator

from pydantic import AliasChoices, AliasPath, BaseModel
from pydantic.fields import FieldInfo

Wanted = Callable[[str], bool]


def wanted_by(contract: type[BaseModel]) -> Wanted:
    """Return what tells whether a contract may look at a column; others need not be read.

    A contract that has something to say about the whole event wants all of them.

    >>> class Payment(BaseModel):
    ...     amount: float
    >>> [name for name in ("amount", "amount.cents", "note") if wanted_by(Payment)(name)]
    ['amount', 'amount.cents']
    """
    if contract.model_config.get("extra", "ignore") != "ignore" or _sees_all(contract):
        return lambda _: True
    names = {name for field in contract.model_fields.items() for name in _names(*field)}
    return lambda column: column in names or column.split(".")[0] in names


def _sees_all(contract: type[BaseModel]) -> bool:
    validators = contract.__pydantic_decorators__.model_validators.values()
    return any(validator.info.mode != "after" for validator in validators)


def _names(name: str, field: FieldInfo) -> Iterator[str]:
    yield name
    alias = field.validation_alias
    for choice in alias.choices if isinstance(alias, AliasChoices) else [alias]:
        if isinstance(choice, AliasPath):
            yield str(choice.path[0])
        elif choice is not None:
            yield choice
