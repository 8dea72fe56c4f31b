"""Series: what is answered, a feature at a time, for many rows at once."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from featurestore.aggregation.arrays import NULL, Values, empty_like, missing
from featurestore.definitions.contract import ARROW_TYPES, Kind, arrow_type_of

Mask = npt.NDArray[np.bool_]
Item = int | float | bool | str
Value = Item | list[Item] | dict[str, int] | None


@dataclass(frozen=True, slots=True)
class Series:
    """A feature's value for each row.

    Attributes:
        values: Numbers as they stand in `arrays`; values as Python has them where these are lists
            or maps, or were computed by a user's function.
        kind: What they are; instants are microseconds UTC, dates days since 1970.
        words: What the codes of texts stand for.

    >>> Series(np.array([1.5, np.nan]), Kind.FLOAT).plain()
    [1.5, None]
    >>> Series(np.array([0, 7]), Kind.BOOL).without(np.array([False, True])).plain()
    [False, None]
    """

    values: Values | list[Value]
    kind: Kind
    words: Sequence[bytes] = ()

    def plain(self) -> list[Value]:
        """Return the values as Python has them; None where there is none."""
        values = self.values
        if isinstance(values, list):
            return values
        if self.kind is Kind.TEXT:
            texts = [*(word.decode() for word in self.words), None]
            return [texts[place] for place in _places(values, len(self.words))]
        numbers = cast("list[Value]", (values != 0 if self.kind is Kind.BOOL else values).tolist())
        for place in np.flatnonzero(missing(values)).tolist():
            numbers[place] = None
        return numbers

    def without(self, rows: Mask) -> "Series":
        """Return the values without those of some rows."""
        if isinstance(self.values, list):
            pairs = zip(self.values, rows.tolist(), strict=True)
            return Series([None if gone else value for value, gone in pairs], self.kind)
        values = np.where(rows, empty_like(self.values, 1), self.values)
        return Series(values, self.kind, self.words)

    def filled(self, fill: Value) -> "Series":
        """Return the values with another in the place of null."""
        if fill is None:
            return self
        return Series([fill if v is None else v for v in self.plain()], self.kind)

    def arrow(self, size: int = 0) -> Any:
        """Return the values as an Arrow array of the kind's type; lists have that of their items.

        Args:
            size: Of vectors how many floats each has.

        Cost: for numbers some µs, whatever their number up to thousands.
        """
        values, kind = self.values, self.kind
        if isinstance(values, list):
            return _of_python(values, kind, size)
        if kind is Kind.TEXT:
            texts = pa.array([*(word.decode() for word in self.words), None], pa.string())
            return texts.take(pa.array(_places(values, len(self.words))))
        if kind is Kind.FLOAT:
            return pa.array(values, from_pandas=True)
        numbers: Any = pa.array(values, mask=missing(values))
        if kind is Kind.DATE:
            numbers = numbers.cast(pa.int32())
        return numbers.cast(ARROW_TYPES[kind])


def _places(codes: Values, absent: int) -> list[int]:
    places: list[int] = np.where(codes == NULL, absent, codes).astype(np.int64).tolist()
    return places


def _of_python(values: Sequence[Any], kind: Kind, size: int) -> Any:
    if kind in (Kind.DATETIME, Kind.DATE):  # they come as numbers
        width = pa.int64() if kind is Kind.DATETIME else pa.int32()
        return pa.array(values, width).cast(ARROW_TYPES[kind])
    if kind is Kind.MAP:
        pairs = [None if value is None else list(value.items()) for value in values]
        return pa.array(pairs, pa.map_(pa.string(), pa.int64()))
    if kind is Kind.VECTOR:
        return pa.array(values, arrow_type_of(kind, size))
    return pa.array(values, ARROW_TYPES.get(kind))
