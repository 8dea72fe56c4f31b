"""A row of a table as the event it stands for, for pydantic to judge."""

from collections.abc import Iterator, Mapping
from typing import Any, Literal, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import from_json

from featurestore.definitions.contract import unwrap

_LONGEST_WHOLE = 18


def event_of(row: Mapping[str, Any], contract: type[BaseModel], *, text: bool) -> dict[str, Any]:
    """Return a row as an event: dotted columns as nested models, empty text as the contract says.

    Args:
        row: Values by column name.
        contract: The contract.
        text: Whether all cells are text. An empty one is then missing where the field has a
            default, None where it may be None, and an empty text elsewhere. A list is an array of
            JSON.

    >>> class Card(BaseModel):
    ...     country: str
    >>> class Payment(BaseModel):
    ...     amount: float
    ...     note: str | None = None
    ...     card: Card | None = None
    >>> event_of({"amount": "5", "note": "", "card.country": "FR"}, Payment, text=True)
    {'amount': '5', 'card': {'country': 'FR'}}
    """
    event = dict(row)
    for name, field in contract.model_fields.items():
        inner, _ = unwrap(field.annotation)
        for key in _keys(name, field):
            if isinstance(inner, type) and issubclass(inner, BaseModel):
                _nest(event, key, field, inner, text=text)
            elif text and key in event:
                _parse(event, key, field, inner)
    return event


def _keys(name: str, field: FieldInfo) -> Iterator[str]:
    aliases = (field.validation_alias, field.alias, name)
    yield from dict.fromkeys(alias for alias in aliases if isinstance(alias, str))


def _nest(
    event: dict[str, Any], key: str, field: FieldInfo, model: type[BaseModel], *, text: bool
) -> None:
    if key in event:
        if isinstance(event[key], dict):
            event[key] = event_of(event[key], model, text=False)
        return
    prefix = key + "."
    dotted = [name for name in event if name.startswith(prefix)]
    nested = {name.removeprefix(prefix): event.pop(name) for name in dotted}
    if any(value is not None and not (text and value == "") for value in nested.values()):
        event[key] = event_of(nested, model, text=text)
    elif nested and field.is_required():
        event[key] = None if _optional(field) else event_of(nested, model, text=text)


def _parse(event: dict[str, Any], key: str, field: FieldInfo, inner: Any) -> None:
    value = event[key]
    if value is not None and value != "":
        if get_origin(inner) is Literal and value not in get_args(inner):
            event[key] = _whole(value)
        elif get_origin(inner) is list:
            event[key] = _listed(value)
    elif field.is_required():
        event[key] = None if _optional(field) else ""
    else:
        del event[key]


def _optional(field: FieldInfo) -> bool:
    return unwrap(field.annotation)[1]


def _listed(text: Any) -> Any:
    """Return the array that a text of JSON writes, other values as they are."""
    if not isinstance(text, str) or not text.lstrip().startswith("["):
        return text
    try:
        return from_json(text)
    except ValueError:
        return text


def _whole(text: str) -> int | str:
    """Return the number a text writes: pydantic takes no text for a number in a Literal."""
    digits = text.removeprefix("-")
    whole = digits.isascii() and digits.isdecimal() and len(digits) <= _LONGEST_WHOLE
    return int(text) if whole else text
