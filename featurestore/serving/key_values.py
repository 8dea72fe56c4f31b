"""Key values: what a caller writes for a key, as the value its column would hold."""

import json
from datetime import UTC, date, datetime
from uuid import UUID

from featurestore.definitions.contract import Kind
from featurestore.definitions.defaults import is_finite
from featurestore.errors import shown
from featurestore.instants import from_us, parse_instant

_LARGEST = 2**63
_LONGEST = 200  # letters of a message


def canonical(value: object, kind: Kind) -> object:
    """Return a key's value as its column holds it.

    JSON has no instants and dates, so text is taken for them; an int is taken for a float, and
    nothing else for anything else: ``"7"`` is no int. What is derived of them, such as a member of
    an enum of texts or a float of numpy, is what it is derived of.

    Raises:
        ValueError: It is no value of this kind; the text says what was expected and what came.

    >>> canonical(7, Kind.FLOAT), canonical("2026-01-31", Kind.DATE)
    (7.0, datetime.date(2026, 1, 31))
    >>> canonical("7", Kind.INT)
    Traceback (most recent call last):
      ...
    ValueError: must be int, got str '7'
    """
    if kind is Kind.TEXT and type(value) is str:  # by far the most
        return encodable(value)
    match kind, value:
        case (Kind.TEXT, str()):
            return encodable(str.__str__(value))
        case (Kind.TEXT, UUID()):
            return str(value)
        case (Kind.BOOL, bool()):
            return value
        case (Kind.FLOAT, float()):
            return float(value)
        case (Kind.INT, int()) if not isinstance(value, bool) and abs(value) < _LARGEST:
            return int(value)
        case (Kind.FLOAT, int()) if not isinstance(value, bool) and is_finite(value):
            return float(value)
        case (Kind.DATETIME, str() | datetime()) if value == value:  # noqa: PLR0124 - NaT of pandas
            return _instant(value)
        case (Kind.DATE, str() | date()):
            return _day(value)
    raise ValueError(_expected(value, kind))


def parsed(text: str, kind: Kind) -> object:
    """Return a value of a key or of the context from text, as in a URL or on the command line.

    A vector is written as in JSON: ``[0.5, 1]``.

    Raises:
        ValueError: It is no value of this kind.

    >>> parsed("7", Kind.INT), parsed("true", Kind.BOOL), parsed("7", Kind.TEXT)
    (7, True, '7')
    """
    try:
        match kind:
            case Kind.INT:
                return canonical(int(text), kind)
            case Kind.FLOAT:
                return float(text)
            case Kind.BOOL:
                return {"true": True, "false": False}[text.lower()]
            case Kind.VECTOR:
                return json.loads(text)
            case _:
                return canonical(text, kind)
    except (ValueError, KeyError, RecursionError) as error:  # of brackets in brackets
        raise ValueError(_expected(text, kind)) from error


def encodable(text: str) -> str:
    """Return a text that can be sent; raises ValueError for one that cannot."""
    try:
        text.encode()
    except UnicodeEncodeError as error:
        msg = f"must be text, got a lone surrogate in {text!r}"
        raise ValueError(msg) from error
    return text


def _instant(value: str | datetime) -> datetime:
    if isinstance(value, str):
        return from_us(parse_instant(value))
    return value if value.tzinfo else value.replace(tzinfo=UTC)


def _day(value: str | date) -> date:
    if isinstance(value, str):
        try:
            return date.fromisoformat(value)
        except ValueError as error:
            raise ValueError(_expected(value, Kind.DATE)) from error
    if isinstance(value, datetime):
        raise ValueError(_expected(value, Kind.DATE))  # noqa: TRY004 - as every other mistake
    return value


def _expected(value: object, kind: Kind) -> str:
    return f"must be {kind.value}, got {type(value).__name__} {shown(value)}"[:_LONGEST]
