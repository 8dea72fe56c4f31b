"""What of a contract whole columns can check."""

import re
from datetime import datetime
from decimal import Decimal
from typing import Annotated, Any, Literal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import (
    AliasChoices,
    AwareDatetime,
    BaseModel,
    ConfigDict,
    Field,
    TypeAdapter,
    ValidationError,
    create_model,
    field_validator,
    model_validator,
)

from featurestore.contracts.shape import Leaf, Unclear, shape_of


class Tree(BaseModel):
    left: "Tree | None" = None


class Hooked(BaseModel):
    value: int

    @model_validator(mode="after")
    def check(self) -> "Hooked":
        return self


class Validated(BaseModel):
    value: int

    @field_validator("value")
    @classmethod
    def check(cls, value: int) -> int:
        return value


class Strict(BaseModel):
    model_config = ConfigDict(strict=True)
    value: int


class Posted(BaseModel):
    value: int

    def model_post_init(self, context: Any) -> None:
        self.value = 5


class Made(BaseModel):
    value: int

    def __init__(self, **data: Any) -> None:
        super().__init__(**data)


class ByName(BaseModel):
    model_config = ConfigDict(validate_by_name=True, validate_by_alias=True)
    value: int = Field(alias="v")


@pytest.mark.parametrize("model", [Tree, Hooked, Validated, Strict, Posted, Made, ByName])
def test_models_with_code_or_quirks_are_left_to_pydantic(model: type[BaseModel]) -> None:
    assert shape_of(model) is None


@pytest.mark.parametrize(
    "field",
    [
        int | str,
        Annotated[float, Field(multiple_of=0.1)],
        Annotated[int, Field(strict=True)],
        Annotated[Decimal, Field(max_digits=3)],
        Annotated[Decimal, Field(ge=Decimal("0.1"))],
        AwareDatetime,
        Annotated[datetime, Field(gt=datetime(2020, 1, 1))],  # noqa: DTZ001 as a user may write
        Literal[True],
        Annotated[int, Field(ge=-(2**63))],
        Annotated[str, Field(pattern="(a+)+")],
        Annotated[str, Field(pattern="^a*a*$")],
        Annotated[list[int], Field(max_length=2)],
        set[int],
        list[datetime],
        bytes,
        Annotated[int, Field(validation_alias=AliasChoices("a", "b"))],
    ],
)
def test_fields_that_columns_cannot_mirror_are_left_to_pydantic(field: Any) -> None:
    model = create_model("Model", value=(field, ...))
    assert shape_of(model) is None


PATTERNS = [r"^[A-Z]{2}\d+$", r"^\w{2,4}$", r"^a-?b$", r"^[a-z0-9_-]*$", r"^\d{4}-\d\d$"]


@pytest.mark.parametrize("pattern", PATTERNS)
@settings(max_examples=50, deadline=None)
@given(st.data())
def test_patterns_accept_no_more_than_the_original(pattern: str, data: st.DataObject) -> None:
    model = create_model("Model", value=(Annotated[str, Field(pattern=pattern)], ...))
    shape = shape_of(model)
    assert shape is not None
    leaf = shape.members["value"].part
    assert isinstance(leaf, Leaf)
    text = data.draw(st.from_regex(pattern) | st.text(max_size=4))
    if re.search(leaf.limits["pattern"], text):
        TypeAdapter(Annotated[str, Field(pattern=pattern)]).validate_python(text)
    elif text.isascii():
        with pytest.raises(ValidationError):
            TypeAdapter(Annotated[str, Field(pattern=pattern)]).validate_python(text)


def test_a_default_that_is_no_choice_is_left_to_pydantic() -> None:
    class Order(BaseModel):
        level: Literal[1, 2] = "none"  # type: ignore[assignment] # pydantic does not look at it
        state: Literal["paid"] | None = None

    shape = shape_of(Order)
    assert shape is not None
    assert [member.default for member in shape.members.values()] == [Unclear, None]
