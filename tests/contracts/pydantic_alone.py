"""What pydantic alone says of an event: contracts, documents for them, and the reference answer."""

import json
import math
from datetime import UTC, date, datetime
from decimal import Decimal
from enum import Enum, IntEnum
from typing import Annotated, Any, Literal
from uuid import UUID

from hypothesis import strategies as st
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from featurestore import Stream
from featurestore.contracts.block import Documents
from featurestore.contracts.decoder import Decoder
from featurestore.definitions.contract import Kind


class Colour(Enum):
    RED = "red"
    BLUE = "blue"


class Level(IntEnum):
    LOW = 1
    HIGH = 2


Taste = Annotated[list[float], Field(min_length=3, max_length=3)]
Share = Annotated[float, Field(ge=0, le=1)]


class Card(BaseModel):
    country: str | None
    pair: Annotated[list[float], Field(min_length=2, max_length=2)] | None = None
    digits: Annotated[str, Field(pattern=r"^\d{4}$")] = "0000"
    issued: date | None = None


class Everything(BaseModel):
    id: str
    at: datetime
    whole: Annotated[int, Field(ge=-5, lt=2**62)] = 7
    any_int: int | None = None
    amount: Annotated[float, Field(ge=0)] = 0
    rate: float | None = None
    price: Annotated[Decimal, Field(ge=0)] = Decimal("1.5")
    flag: bool = False
    name: Annotated[str, Field(min_length=1, max_length=4)] = "x"
    status: Literal["approved", "declined"] = "approved"
    step: Literal[1, 2, 3] = 1
    colour: Colour = Colour.RED
    level: Level | None = None
    day: date | None = None
    key: UUID | None = None
    even: Annotated[int, Field(multiple_of=2)] = 0
    card: Card | None = None
    second: Card = Field(default_factory=lambda: Card(country="FR"))
    taste: Taste | None = None
    shares: Annotated[list[Share], Field(min_length=2, max_length=2)] = [0.5, 0.5]
    tags: list[str] = Field(default_factory=list)
    scores: dict[str, float | None] = {}
    more: Any = None


class Strange(BaseModel):
    """What no struct can mirror."""

    model_config = ConfigDict(str_strip_whitespace=True)
    id: str
    at: datetime
    either: int | str = 0

    @field_validator("id")
    @classmethod
    def no_x(cls, value: str) -> str:
        if value == "boom":
            raise KeyError(value)
        return value.upper()


class Small(BaseModel):
    model_config = ConfigDict(extra="forbid")
    id: str = Field(alias="event-id")
    at: datetime


MODELS = {
    model: Stream("s", contract=model, event_time="at") for model in (Everything, Strange, Small)
}
DECODERS = {model: Decoder(stream, few=0) for model, stream in MODELS.items()}
OF_FEW = {model: Decoder(stream) for model, stream in MODELS.items()}


def reference(stream: Stream, validate: Any, event: Any) -> dict[str, Any] | None:
    """One event by pydantic alone: its values, or None when it is to be rejected."""
    try:
        model = validate(event)
    except (ValidationError, KeyError):
        return None
    values = {c.name: value_at(model, c.path) for c in stream.columns.values()}
    return values if all(map(usable, values.values())) else None


def value_at(model: Any, path: tuple[str, ...]) -> Any:
    for name in path:
        model = None if model is None else getattr(model, name)
    if isinstance(model, Enum):
        model = model.value
    if isinstance(model, Decimal):
        return float(model)
    if isinstance(model, UUID):
        return str(model)
    if isinstance(model, datetime):
        aware = model if model.tzinfo else model.replace(tzinfo=UTC)
        try:
            return aware.astimezone(UTC)
        except OverflowError:
            return math.inf
    return model


def usable(value: Any) -> bool:
    if isinstance(value, list):
        return all(map(usable, value))
    if isinstance(value, float):
        return math.isfinite(value)
    return not isinstance(value, int) or -(2**63) < value < 2**63


def same(stream: Stream, got: dict[str, Any], expected: dict[str, Any]) -> None:
    for name, value in expected.items():
        wanted = (
            float(value) if stream.columns[name].kind is Kind.FLOAT and value is not None else value
        )
        assert repr(got[name]) == repr(wanted) or got[name] == wanted, name
        if isinstance(wanted, list):
            assert repr(got[name]) == repr(wanted), name
        if isinstance(wanted, float):
            assert math.copysign(1, got[name]) == math.copysign(1, wanted)


def check(model: type[BaseModel], documents: list[bytes]) -> None:
    for decoder in (DECODERS[model], OF_FEW[model]):
        check_with(decoder, model, documents)


def check_with(decoder: Decoder, model: type[BaseModel], documents: list[bytes]) -> None:
    stream = MODELS[model]
    expected = [reference(stream, model.model_validate_json, document) for document in documents]
    decoded = decoder.decode(Documents(documents, range(len(documents))))
    accepted = [place for place, values in enumerate(expected) if values is not None]
    assert decoded.offsets.tolist() == accepted
    assert decoded.events.schema.names == list(stream.columns)
    for place, row in zip(accepted, decoded.events.to_pylist(), strict=True):
        values = expected[place]
        assert values is not None
        same(stream, row, values)
    assert [r.offset for r in decoded.rejected] == [n for n, v in enumerate(expected) if v is None]
    assert all(r.raw == documents[r.offset] and r.detail for r in decoded.rejected)


texts = st.one_of(
    st.sampled_from(
        [
            "",
            "approved",
            "red",
            "1234",
            "12345",
            "\uff11\uff12\uff13\uff14",
            "5",
            "5.0",
            "NaN",
            "true",
            "a\x00",
            "1234\n",
        ]
    ),
    st.text(max_size=6),
)
numbers = st.one_of(
    st.integers(-10, 10),
    st.sampled_from(
        [2**53 + 1, 2**62, 2**63 - 1, 2**63, -(2**63), -(2**63) + 1, 2**64, 10**30, 2e10, 1e22]
    ),
    st.floats(),
    st.sampled_from(
        [
            0.0,
            -0.0,
            5.0,
            1e300,
            5e-324,
            1.7e9,
            1.7e12,
            20000000000,
            20000000001,
            253402300799,
            253402300800000,
        ]
    ),
)
instants = st.one_of(
    st.datetimes(timezones=st.sampled_from([None, UTC])).map(datetime.isoformat),
    st.datetimes(timezones=st.timezones()).map(datetime.isoformat),
    st.datetimes().map(lambda at: at.isoformat(" ", "milliseconds") + "Z"),
    st.dates().map(date.isoformat),
    st.from_regex(
        r"[0-9]{4}-[01][0-9]-[0-3][0-9][T ][0-2][0-9]:[0-6][0-9]:[0-6][0-9]"
        r"(\.[0-9]{1,7})?(Z|z|[+-][0-2][0-9]:?[0-6][0-9])?",
        fullmatch=True,
    ),
    st.sampled_from(
        [
            "0001-01-01T00:00:00+10:00",
            "9999-12-31T23:59:59-10:00",
            "2026-01-01T24:00:00Z",
            "2016-12-31T23:59:60Z",
            "1700000000",
            "2026-02-29T00:00:00",
            "2026-01-01T00:00:00é",
        ]
    ),
)
keys = st.one_of(
    st.uuids().map(str), st.uuids().map(lambda u: u.hex), st.uuids().map(lambda u: str(u).upper())
)
anything = st.recursive(
    st.one_of(st.none(), st.booleans(), numbers, texts, instants, keys),
    lambda inner: st.one_of(st.lists(inner, max_size=2), st.dictionaries(texts, inner, max_size=2)),
    max_leaves=3,
)


names = st.text(max_size=4)
finite = st.floats(allow_nan=False, allow_infinity=False) | st.integers(-5, 2**60)
odd_lists = st.one_of(
    st.lists(finite, max_size=5),
    st.lists(
        st.none() | st.sampled_from(["5", True, math.inf, math.nan, 2]) | finite,
        min_size=2,
        max_size=3,
    ),
    st.lists(numbers, min_size=2, max_size=3),
    st.just("[1, 2, 3]"),
)
stamps = st.datetimes(timezones=st.sampled_from([None, UTC])).map(datetime.isoformat)
days = st.dates().map(date.isoformat)
cards = st.fixed_dictionaries(
    {"country": st.none() | names},
    optional={
        "digits": st.from_regex(r"[0-9]{4}", fullmatch=True),
        "issued": st.none() | days,
        "pair": st.none() | st.lists(finite, min_size=2, max_size=2),
    },
)
ids = st.sampled_from(["a", "boom", " b "]) | names
usual = {
    Everything: (
        {"id": names, "at": stamps, "second": cards},
        {
            "whole": st.integers(-5, 2**62 - 1),
            "any_int": st.none() | st.integers(-(2**63) + 1, 2**63 - 1),
            "amount": st.floats(0, 1e300) | st.integers(0, 2**70),
            "rate": st.none() | st.floats(allow_nan=False, allow_infinity=False),
            "price": st.floats(0.01, 1e9),
            "flag": st.booleans(),
            "name": st.text(min_size=1, max_size=4),
            "status": st.sampled_from(["approved", "declined"]),
            "step": st.integers(1, 3),
            "colour": st.sampled_from(["red", "blue"]),
            "level": st.sampled_from([None, 1, 2]),
            "day": st.none() | days,
            "key": st.none() | st.uuids().map(str),
            "even": st.integers(-4, 4).map(lambda n: 2 * n),
            "card": st.none() | cards,
            "taste": st.none() | st.lists(finite, min_size=3, max_size=3),
            "shares": st.lists(st.floats(0, 1), min_size=2, max_size=2),
            "tags": st.lists(names, max_size=2),
            "scores": st.dictionaries(names, st.none() | st.integers(0, 9), max_size=2),
            "more": st.none() | st.lists(names, max_size=1),
            "unknown": st.none() | names,
        },
    ),
    Strange: ({"id": ids, "at": stamps}, {"either": st.integers() | names}),
    Small: ({"event-id": names, "at": stamps}, {}),
}
odd_cards = st.fixed_dictionaries(
    {}, optional={"country": anything, "digits": anything, "issued": instants, "x": anything}
)
odd = st.one_of(anything, odd_lists, numbers, texts, instants, keys, odd_cards)


@st.composite
def events(draw: st.DrawFn, model: type[BaseModel]) -> dict[str, Any]:
    """A right event, in which now and then a field is odd or missing."""
    required, optional = usual[model]
    event: dict[str, Any] = draw(st.fixed_dictionaries(required, optional=optional))
    for _ in range(draw(st.sampled_from([0, 0, 1, 2]))):
        name = draw(st.sampled_from([*required, *optional, "id"]))
        event[name] = draw(odd if name not in {"taste", "shares"} else odd_lists)
        if draw(st.sampled_from([False, False, False, True])):
            del event[name]
    return event


EVENTS = {model: events(model) for model in MODELS}


def written(event: Any) -> st.SearchStrategy[bytes]:
    return st.booleans().map(
        lambda ascii_: json.dumps(event, ensure_ascii=ascii_).encode("utf-8", "surrogatepass")
    )


@st.composite
def mutated(draw: st.DrawFn, documents: st.SearchStrategy[bytes]) -> bytes:
    """A document with a few bytes exchanged, cut out or put in."""
    document = bytearray(draw(documents))
    for _ in range(draw(st.sampled_from([0, 0, 0, 1, 2]))):
        at = draw(st.integers(0, len(document)))
        piece = draw(
            st.sampled_from(
                [
                    b"",
                    b"}",
                    b"{",
                    b",",
                    b"\xff",
                    b"\n",
                    b"\r",
                    b" ",
                    b'"',
                    b"\\",
                    b"0",
                    b"\x00",
                    b"-",
                    b"e9",
                    b"NaN",
                    b"\\ud800",
                    b'"at":1,',
                    b"\xef\xbb\xbf",
                    b"[" * 250,
                    b"9" * 5000,
                ]
            )
        )
        document[at : at + draw(st.integers(0, 2))] = piece
    return bytes(document)
