"""Fields alone: read as their contract reads them, in events that break it elsewhere."""

from collections.abc import Callable
from typing import Annotated, Any
from uuid import UUID

import orjson
import pytest
from pydantic import (
    AliasChoices,
    AliasPath,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationInfo,
    field_validator,
    model_validator,
)
from pydantic.alias_generators import to_camel

from featurestore.contracts.alone import alone, value_alone
from featurestore.definitions.contract import contract_columns

ZEROS = "abcdef00-0000-0000-0000-000000000000"


class Named(BaseModel):
    user: str = Field(alias="User")
    amount: float


class Choosing(BaseModel):
    user: str = Field(validation_alias=AliasChoices("uid", AliasPath("ids", 0)))
    amount: float


class Camel(BaseModel):
    model_config = ConfigDict(alias_generator=to_camel, extra="forbid", frozen=True)
    user_id: UUID
    amount: float


class Lowered(BaseModel):
    user: Annotated[str, StringConstraints(to_lower=True, strip_whitespace=True)]
    amount: float


class Checked(BaseModel):
    user: Annotated[str, BeforeValidator(str)]
    amount: float

    @field_validator("user", mode="before")
    @classmethod
    def plain(cls, user: Any) -> Any:
        return user["name"] if isinstance(user, dict) else user

    @field_validator("*", mode="wrap")
    @classmethod
    def known(cls, value: Any, check: Callable[[Any], Any], info: ValidationInfo) -> Any:
        return check(value) if info.field_name != "user" else "@" + check(value)

    @field_validator("user")
    @classmethod
    def beside_amount(cls, user: str, info: ValidationInfo) -> str:
        return user + str(info.data.get("amount", ""))


class Renamed(BaseModel):
    user: str
    amount: float

    @model_validator(mode="before")
    @classmethod
    def old(cls, event: Any) -> Any:
        return {"user": event.pop("customer"), **event} if "customer" in event else event

    @model_validator(mode="after")
    def never(self) -> "Renamed":
        raise ValueError


class Owner(BaseModel):
    email: str = Field(alias="eMail", default="nobody")
    age: int


class Owned(BaseModel):
    owner: Owner | None = None
    amount: float


@pytest.mark.parametrize(
    ("contract", "column", "event", "value"),
    [
        (Named, "user", {"User": "u1"}, "u1"),
        (Named, "user", {"user": "u1"}, None),
        (Choosing, "user", {"uid": "u1"}, "u1"),
        (Choosing, "user", {"ids": ["u1", "u2"]}, "u1"),
        (Camel, "user_id", {"userId": "ABCDEF00" + "-0000" * 3 + "-" + "0" * 12, "more": 1}, ZEROS),
        (Lowered, "user", {"user": " U1 "}, "u1"),
        (Checked, "user", {"user": {"name": 7}}, "@7"),
        (Renamed, "user", {"customer": "u1"}, "u1"),
        (Owned, "owner.email", {"owner": {"eMail": "a@x.org", "age": "old"}}, "a@x.org"),
        (Owned, "owner.email", {"owner": {"age": 5}}, "nobody"),
        (Owned, "owner.email", {"owner": None}, None),
        (Owned, "owner.email", {}, None),
    ],
)
def test_a_field_is_what_its_contract_makes_of_it(
    contract: type[BaseModel], column: str, event: dict[str, Any], value: str | None
) -> None:
    judge = alone(contract, contract_columns(contract)[column])
    found = value_alone(judge, orjson.dumps({**event, "amount": "much"}))
    assert found == value


@pytest.mark.parametrize("document", [b"{", b"[1]", b"null", b"\xff", b"7", b'{"User": 7}'])
def test_what_is_no_such_event_has_no_value(document: bytes) -> None:
    assert value_alone(alone(Named, contract_columns(Named)["user"]), document) is None
