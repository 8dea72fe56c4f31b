"""Series: what is answered, a feature at a time, for many rows at once."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from featurestore.aggregation.arrays import NULL, Values, empty_like, missing, to_arrow
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

    @classmethod
    def joined(cls, parts: "Sequence[Series]") -> "Series":
        """Return the values of several, end to end; at least one.

        >>> some, others = Series(np.array([1.5]), Kind.FLOAT), Series([None], Kind.FLOAT)
        >>> Series.joined([some, some, others]).plain()
        [1.5, 1.5, None]
        """
        kind, values = parts[0].kind, [part.values for part in parts]
        arrays = [each for each in values if isinstance(each, np.ndarray)]
        if len(arrays) == len(parts) and kind is not Kind.TEXT:  # each has codes of its own
            joined: Any = np.concatenate(arrays)
            return cls(joined, kind)
        return cls([value for part in parts for value in part.plain()], kind)

    def plain(self) -> list[Value]:
        """Return the values as Python has them; None where there is none."""
        values = self.values
        if isinstance(values, list):
            return values
        if self.kind is Kind.TEXT:
            texts = [*(word.decode() for word in self.words), None]
            places = np.where(values == NULL, len(self.words), values).astype(np.int64)
            return [texts[place] for place in places.tolist()]
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
        if isinstance(self.values, list):
            return _of_python(self.values, self.kind, size)
        return to_arrow(self.values, self.kind, self.words)


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
