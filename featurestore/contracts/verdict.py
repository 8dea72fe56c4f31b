"""The verdict on one event: pydantic's, and what its values are as columns.

The slow road, for the events that whole columns cannot judge: 3 µs for a good one, some 10 µs for
a bad one.
"""

import math
import reprlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from enum import Enum
from typing import Any
from uuid import UUID

from pydantic import BaseModel, ValidationError

from featurestore.contracts.fixed_text import FIRST_US, LAST_US
from featurestore.contracts.rejection import Reason
from featurestore.contracts.shape import LARGEST, SMALLEST
from featurestore.definitions.contract import Column, Kind
from featurestore.definitions.foreign import Foreign
from featurestore.errors import has
from featurestore.instants import EPOCH, to_us

_FAULTS = 5  # how many faults of one event are told
_LONGEST = 200  # letters a fault

_short = reprlib.Repr()
_short.maxstring, _short.maxother, _short.maxlong = 60, 60, 40
_short.maxlist, _short.maxdict, _short.maxlevel = 3, 3, 2


@dataclass(frozen=True, slots=True)
class Fault:
    """Why an event is rejected."""

    reason: Reason
    detail: str


@dataclass(frozen=True)
class Judge:
    """Judges events one by one.

    Attributes:
        contract: The contract.
        columns: The columns to read off an accepted event.
        event_time: The column that must have a value whatever the contract's validators say.
    """

    contract: type[BaseModel]
    columns: Sequence[Column]
    event_time: str

    def json(self, document: bytes) -> list[Any] | Fault:
        """Return an event's values in the order of `columns`, or what is wrong with it."""
        return self._judge(self.contract.model_validate_json, document)

    def row(self, row: Mapping[str, Any]) -> list[Any] | Fault:
        """Return the values of a row of a table, or what is wrong with it."""
        return self._judge(self.contract.model_validate, row)

    def _judge(self, validate: Callable[[Any], BaseModel], event: Any) -> list[Any] | Fault:
        with Foreign() as code:
            return self._values(validate(event))
        match code.failure:
            case ValidationError() as error:
                return fault_of(error)
            case _UnusableError() as error:
                return Fault(Reason.INVALID, printable(str(error)))
            case _:
                return Fault(Reason.INVALID, printable(f"the contract raised {code.said}"))

    def _values(self, event: BaseModel) -> list[Any]:
        return [self._value(column, event) for column in self.columns]

    def _value(self, column: Column, event: Any) -> Any:
        value = event
        for name in column.path:
            value = getattr(value, name) if value is not None else None
        if value is None and column.name == self.event_time:
            raise _UnusableError(column.name, "must not be None", value)
        return None if value is None else _column_value(column, value)


class _UnusableError(Exception):
    """The contract accepts a value that its column cannot hold."""

    def __init__(self, name: str, fault: str, value: Any) -> None:
        super().__init__(f"{name}: {fault}, got {_short.repr(value)}")


def _column_value(column: Column, value: Any) -> Any:
    if column.kind is Kind.VECTOR:
        return _vector(column, value)
    value = value.value if isinstance(value, Enum) else value
    expected, read = _READERS[column.kind]
    if not isinstance(value, expected):
        raise _UnusableError(column.name, f"the contract made it no {column.kind.value}", value)
    return read(column.name, value)


def _vector(column: Column, value: Any) -> list[float]:
    if not isinstance(value, list | tuple) or len(value) != column.size:
        fault = f"the contract made it no list of {column.size} floats"
        raise _UnusableError(column.name, fault, value)
    if all(type(item) is float and math.isfinite(item) for item in value):
        return list(value)
    for place, item in enumerate(value):
        if not isinstance(item, int | float | Decimal):
            name = f"{column.name}.{place}"
            raise _UnusableError(name, "the contract made it no float", item)
    return [_float(f"{column.name}.{place}", item) for place, item in enumerate(value)]


def _int(name: str, value: int) -> int:
    if not SMALLEST <= value <= LARGEST:
        raise _UnusableError(name, f"must be between {SMALLEST} and {LARGEST}", value)
    return int(value)


def _float(name: str, value: float | Decimal) -> float:
    try:
        number = float(value)
    except (OverflowError, ValueError):  # an int beyond any float, a signalling NaN
        number = math.nan
    if not math.isfinite(number):
        raise _UnusableError(name, "must be finite", value)
    return number


def _text(name: str, value: str | UUID) -> str:
    text = str.__str__(value) if isinstance(value, str) else str(value)
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise _UnusableError(name, "must be text that UTF-8 can write", value) from error
    return text


def _instant(name: str, value: datetime) -> int:
    microseconds = to_us(value)
    if not FIRST_US <= microseconds <= LAST_US:
        raise _UnusableError(name, "must be in the years 1 to 9999 of UTC", value)
    return microseconds


def _day(_: str, value: date) -> int:
    return value.toordinal() - EPOCH.toordinal()


_READERS: dict[Kind, tuple[Any, Callable[[str, Any], Any]]] = {
    Kind.INT: (int, _int),
    Kind.FLOAT: ((int, float, Decimal), _float),
    Kind.BOOL: (bool, lambda _, value: value),
    Kind.TEXT: ((str, UUID), _text),
    Kind.DATETIME: (datetime, _instant),
    Kind.DATE: (date, _day),
}


def fault_of(error: ValidationError) -> Fault:
    """Say what pydantic found, as ``path: what was expected, what came``.

    >>> class Payment(BaseModel):
    ...     amount: float
    >>> def fault(text):
    ...     try:
    ...         Payment.model_validate_json(text)
    ...     except ValidationError as error:
    ...         return fault_of(error)
    >>> fault('{"amount": "much"}').detail
    "amount: Input should be a valid number, unable to parse string as a number, got 'much'"
    >>> fault('{"amont": 5}').detail
    'amount: Field required (has: amont)'
    >>> fault("[]").reason, fault("{").detail
    (<Reason.MALFORMED: 'malformed'>, 'Invalid JSON: EOF while parsing an object at line 1 column \
1')
    """
    errors = error.errors(include_url=False, include_context=False)
    malformed = any(not e["loc"] and e["type"] in _NO_OBJECT for e in errors)
    sentences = [_sentence(e) for e in errors[:_FAULTS]]
    if len(errors) > _FAULTS:
        sentences.append(f"and {len(errors) - _FAULTS} more")
    reason = Reason.MALFORMED if malformed else Reason.INVALID
    return Fault(reason, printable("; ".join(sentences)))


_NO_OBJECT = {"json_invalid", "json_type", "model_type", "model_attributes_type"}


def _sentence(error: Any) -> str:
    path = ".".join(str(step) for step in error["loc"])
    where = f"{_cut(path, 80)}: " if path else ""
    if error["type"] == "json_invalid":
        return _cut(where + error["msg"], _LONGEST)
    if error["type"] == "missing":
        keys = [_cut(str(key), 30) for key in error["input"]] if error["input"] else []
        return _cut(f"{where}{error['msg']} {has(keys)}", _LONGEST)
    return f"{_cut(where + error['msg'], _LONGEST)}, got {_cut(_short.repr(error['input']), 80)}"


def _cut(text: str, length: int) -> str:
    return text if len(text) <= length else text[: length - 1] + "…"


def printable(text: str) -> str:
    r"""Return text, shortened, that UTF-8 can write.

    >>> printable("a\ud800")
    'a\\ud800'
    """
    return _cut(text, (_FAULTS + 1) * _LONGEST).encode("utf-8", "backslashreplace").decode()
