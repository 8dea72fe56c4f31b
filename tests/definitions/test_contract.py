"""What is read off a contract."""

from datetime import date, datetime
from typing import Annotated, Literal, NewType, Optional

from pydantic import AwareDatetime, BaseModel, Field, NaiveDatetime, PastDate, PastDatetime
from typing_extensions import TypeAliasType

from featurestore import Stream
from featurestore.contracts.block import Documents
from featurestore.contracts.decoder import Decoder
from featurestore.definitions.contract import contract_columns


def test_a_default_of_none_makes_a_column_nullable_whatever_its_type() -> None:
    class Sale(BaseModel):
        amount: float = None  # type: ignore[assignment] # as many write it
        tip: float = 0.0

    columns = contract_columns(Sale)
    assert (columns["amount"].nullable, columns["tip"].nullable) == (True, False)


UserId = NewType("UserId", str)
Tip = TypeAliasType("Tip", Annotated[float, Field(ge=0)] | None)


class Order(BaseModel):
    user: UserId
    at: AwareDatetime
    made: PastDatetime | None = None
    local: NaiveDatetime | None = None
    born: PastDate | None = None
    tip: Tip = None
    state: Literal["paid", None] = None  # noqa: PYI061 - as some write it


def test_named_types_and_those_of_pydantic_are_columns() -> None:
    stream = Stream("orders", contract=Order, event_time="at")
    columns = {c.name: (c.kind.value, c.nullable) for c in stream.columns.values()}
    assert columns == {
        "user": ("str", False),
        "at": ("datetime", False),
        "made": ("datetime", True),
        "local": ("datetime", True),
        "born": ("date", True),
        "tip": ("float", True),
        "state": ("str", True),
    }
    good = b'{"user": "u", "at": "2026-01-01T00:00:00Z", "born": "2000-01-01", "tip": 1.5'
    events = [
        good + b"}",
        good + b', "state": null, "local": "2026-01-01T00:00:00", "made": 5}',
        good.replace(b"Z", b"") + b"}",
        good.replace(b"1.5", b"-1") + b"}",
        good + b', "state": "sent"}',
    ]
    decoded = Decoder(stream, few=0).decode(Documents(events, range(5)))
    assert decoded.offsets.tolist() == [0, 1]
    assert decoded.events.column("tip").to_pylist() == [1.5, 1.5]
    assert decoded.events.column("born").to_pylist() == [date(2000, 1, 1)] * 2


class Comment(BaseModel):
    text: str
    at: datetime
    answers: Optional["Comment"] = None


def test_a_model_within_itself_is_checked_and_no_column() -> None:
    stream = Stream("comments", contract=Comment, event_time="at")
    assert list(stream.columns) == ["text", "at"]
    answered = b'{"text": "no", "at": 5, "answers": {"text": "why", "at": 4}}'
    events = [answered, answered.replace(b'"why"', b"7")]
    decoded = Decoder(stream).decode(Documents(events, range(2)))
    assert decoded.offsets.tolist() == [0]
    assert decoded.rejected[0].detail.startswith("answers.text: Input should be a valid string")
