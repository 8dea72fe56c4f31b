"""Columns of a table as Python values, whatever stands in them."""

from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A cell that no Python value can stand for; no field of a contract takes it."""

    text: str

    def __str__(self) -> str:
        return self.text

    __repr__ = __str__


def python_values(column: Any) -> list[Any]:
    """Return a column's values, `Unreadable` where Python has none; nanoseconds are cut off.

    >>> python_values(pa.array([0, 2**60]).cast(pa.timestamp("s")))
    [datetime.datetime(1970, 1, 1, 0, 0), 1152921504606846976 of timestamp[s]]
    """
    if pa.types.is_timestamp(column.type) and column.type.unit == "ns":
        whole = pc.floor_temporal(column, unit="microsecond")
        column = pc.cast(whole, pa.timestamp("us", tz=column.type.tz))
    try:
        return list(column.to_pylist())
    except (ValueError, OverflowError, pa.ArrowException):
        return [_python_value(scalar) for scalar in column]


def _python_value(scalar: Any) -> Any:
    try:
        return scalar.as_py()
    except (ValueError, OverflowError, pa.ArrowException) as error:
        if pa.types.is_temporal(scalar.type):
            return Unreadable(f"{scalar.value} of {scalar.type}")
        return Unreadable(f"{scalar.type} ({error})")
