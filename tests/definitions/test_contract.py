"""What is read off a contract."""

from datetime import datetime
from typing import Optional

from pydantic import BaseModel

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
