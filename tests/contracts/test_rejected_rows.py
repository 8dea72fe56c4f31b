"""Rejected rows of tables: what a dead letter holds of them is the event, whole."""

import math
from datetime import UTC, datetime
from typing import Annotated, Any, Literal

import pyarrow as pa
import pytest
from pydantic import BaseModel, Field

from featurestore import Stream
from featurestore.contracts.block import Documents, Rows
from featurestore.contracts.decoder import Decoder


class Card(BaseModel):
    country: str
    limit: float | None = None


class Narrow(BaseModel):
    id: str
    at: datetime
    amount: Annotated[float, Field(ge=0)] | None = None
    note: str | None = None
    level: Literal[1, 2] = 1
    card: Card | None = None


class Wide(Narrow):
    amount: float | None = None


TEXTS = {
    "id": ["a", "b"],
    "at": ["2026-01-01T00:00:00Z"] * 2,
    "amount": ["-5", "-6"],
    "note": ["", "n"],
    "level": ["", "2"],
    "card.country": ["FR", ""],
    "card.limit": ["", ""],
}
TYPED = {
    **TEXTS,
    "at": pa.array([datetime(2026, 1, 1, tzinfo=UTC)] * 2),
    "amount": [-5.0, -6.0],
    "level": [1, 2],
    "card.country": ["FR", None],
    "card.limit": pa.array([None, None], pa.float64()),
}


@pytest.mark.parametrize("columns", [TEXTS, TYPED])
def test_a_rejected_row_can_be_judged_again_without_its_table(columns: dict[str, Any]) -> None:
    table = Rows(pa.RecordBatch.from_pydict(columns), start=0, text=columns is TEXTS)
    narrow, wide = (Stream("s", contract=model, event_time="at") for model in (Narrow, Wide))
    raw = [rejection.raw for rejection in Decoder(narrow).decode(table).rejected]
    assert len(raw) == 2
    again = Decoder(wide).decode(Documents(raw, range(2)))
    assert again.events.to_pylist() == Decoder(wide).decode(table).events.to_pylist()


def test_what_is_not_finite_within_a_model_can_be_read_in_its_raw_form() -> None:
    columns = {**TYPED, "card": pa.array([{"country": "FR", "limit": math.inf}] * 2)}
    table = Rows(pa.RecordBatch.from_pydict(columns), start=0)
    rejection, _ = Decoder(Stream("s", contract=Wide, event_time="at")).decode(table).rejected
    assert b'"limit": Infinity' in rejection.raw
