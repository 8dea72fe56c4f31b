"""Some of the values: the newest, the oldest, the largest, the smallest n.

A state is a list per record. Which n are kept depends on time and value only, never on the order
of arrival, so the n of a whole are among the n of its parts.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from featurestore.aggregation.accumulators.accumulator import (
    Input,
    OfOne,
    State,
    StateField,
    Wire,
    ragged,
)
from featurestore.aggregation.arrays import Ints, Ragged, Values, missing
from featurestore.aggregation.groups import Groups


@dataclass(frozen=True, slots=True)
class Timed(OfOne):
    """The n newest or oldest values, sorted by time and value.

    State: two words a value, and its text.

    Attributes:
        n: How many.
        newest: Whether the newest, not the oldest.
        distinct: Whether each value once, where it stands last, or first.
    """

    n: int
    newest: bool
    distinct: bool

    @property
    def name(self) -> str:
        """The state column of the values."""
        which = "newest" if self.newest else "oldest"
        return f"{self.of.name}.{which}{' distinct' if self.distinct else ''} {self.n}"

    @property
    def fields(self) -> tuple[StateField, ...]:
        """The values and their times."""
        return StateField(f"{self.name}.at", Wire.INTS), *list_fields(self.name, self.of)

    def lift(self, at: Ints, columns: Sequence[Values]) -> State:
        """Make a list of one, or none where the value is missing."""
        (values,) = columns
        present = ~missing(values)
        lengths = present.astype(np.int64)
        return {
            f"{self.name}.at": Ragged(lengths, at[present]),
            self.name: Ragged(lengths, unsigned_zeros(values[present])),
        }

    def merge(self, states: State, groups: Groups, merged: State) -> State:  # noqa: ARG002
        """Keep the n of all."""
        values = ragged(states, self.name)
        owners = groups.ids[values.owners()]
        numbers, at = values.numbers, ragged(states, f"{self.name}.at").numbers
        kept = np.arange(len(owners))
        if self.distinct:
            order = np.lexsort((at, numbers, owners))
            kept = order[_ends(self.newest, owners[order], numbers[order])]
        kept = kept[np.lexsort((numbers[kept], at[kept], owners[kept]))]
        kept = kept[outermost(owners[kept], self.n, last=self.newest)]
        lengths = np.bincount(owners[kept], minlength=len(groups))
        return {
            f"{self.name}.at": Ragged(lengths, at[kept]),
            self.name: Ragged(lengths, numbers[kept]),
        }


@dataclass(frozen=True, slots=True)
class Extreme(OfOne):
    """The n largest or smallest values, sorted. State: one word a value, and its text."""

    n: int
    largest: bool

    @property
    def name(self) -> str:
        """The state column of the values."""
        return f"{self.of.name}.{'largest' if self.largest else 'smallest'} {self.n}"

    @property
    def fields(self) -> tuple[StateField, ...]:
        """The values."""
        return list_fields(self.name, self.of)

    def lift(self, at: Ints, columns: Sequence[Values]) -> State:  # noqa: ARG002 - when does not matter
        """Make a list of one, or none where the value is missing."""
        (values,) = columns
        present = ~missing(values)
        return {self.name: Ragged(present.astype(np.int64), unsigned_zeros(values[present]))}

    def merge(self, states: State, groups: Groups, merged: State) -> State:  # noqa: ARG002
        """Keep the n of all."""
        values = ragged(states, self.name)
        owners = groups.ids[values.owners()]
        order = np.lexsort((values.numbers, owners))
        kept = order[outermost(owners[order], self.n, last=self.largest)]
        lengths = np.bincount(owners[kept], minlength=len(groups))
        return {self.name: Ragged(lengths, values.numbers[kept])}


def list_fields(name: str, of: Input) -> tuple[StateField, ...]:
    """Return the fields of lists of an input's values."""
    if of.wire is Wire.TEXT:
        return StateField(f"{name}.sizes", Wire.SIZES), StateField(name, Wire.TEXTS)
    return (StateField(name, Wire.FLOATS if of.wire is Wire.FLOAT else Wire.INTS),)


def outermost(owners: Ints, n: int, *, last: bool) -> Ints:
    """Return the places of the first or last n of each owner; owners never fall.

    >>> outermost(np.array([0, 0, 0, 2]), 2, last=True)
    array([1, 2, 3])
    """
    runs = Groups.of(owners)
    places = np.arange(len(owners))
    rank = runs.ends[runs.ids] - 1 - places if last else places - runs.starts[runs.ids]
    return np.flatnonzero(rank < n)


def unsigned_zeros(values: Values) -> Values:
    """Return values with 0.0 for -0.0, which are one value."""
    return np.where(values == 0, 0, values) if values.dtype == np.float64 else values


def _ends(last: bool, *keys: npt.NDArray[np.generic]) -> Ints:  # noqa: FBT001 - private
    """Return the first or the last of each run of equal keys."""
    runs = Groups.of(*keys)
    return runs.ends - 1 if last else runs.starts
