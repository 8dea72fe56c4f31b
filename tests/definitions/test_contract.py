"""What is read off a contract."""

from pydantic import BaseModel

from featurestore.definitions.contract import contract_columns


def test_a_default_of_none_makes_a_column_nullable_whatever_its_type() -> None:
    class Sale(BaseModel):
        amount: float = None  # type: ignore[assignment] # as many write it
        tip: float = 0.0

    columns = contract_columns(Sale)
    assert (columns["amount"].nullable, columns["tip"].nullable) == (True, False)
