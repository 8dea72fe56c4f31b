"""How often each value came: exact while few, then a summary of the frequent ones.

A state maps at most `capacity` values to counts. Where merging gives more, the count of the largest
one too many is taken off all, and those that are left with nothing go (Misra and Gries 1982, merged
as by Agarwal et al. 2012): of n values a count is too low by (n - all counts kept) / (capacity + 1)
at most, and never too high.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from featurestore.aggregation.accumulators.accumulator import (
    OfOne,
    State,
    StateField,
    Wire,
    plain,
    ragged,
)
from featurestore.aggregation.accumulators.lists import list_fields, unsigned_zeros
from featurestore.aggregation.arrays import Ints, Ragged, Values, missing
from featurestore.aggregation.groups import Groups


@dataclass(frozen=True, slots=True)
class Tally(OfOne):
    """The counts of values. State: two words a value, and its text."""

    capacity: int

    @property
    def name(self) -> str:
        """The state column of the values."""
        return f"{self.of.name}.tally {self.capacity}"

    @property
    def fields(self) -> tuple[StateField, ...]:
        """The values and their counts."""
        return StateField(f"{self.name}.n", Wire.INTS), *list_fields(self.name, self.of)

    def lift(self, at: Ints, columns: Sequence[Values]) -> State:  # noqa: ARG002 - when does not matter
        """Count 1 where there is a value."""
        (values,) = columns
        present = ~missing(values)
        lengths = present.astype(np.int64)
        return {
            f"{self.name}.n": Ragged(lengths, lengths[present]),
            self.name: Ragged(lengths, unsigned_zeros(values[present])),
        }

    def merge(self, states: State, groups: Groups, merged: State) -> State:  # noqa: ARG002
        """Add up value by value, then keep the frequent ones."""
        lists = ragged(states, self.name)
        owners, values = groups.ids[lists.owners()], lists.numbers
        order = np.lexsort((values, owners))
        runs = Groups.of(owners[order], values[order])
        if not len(runs):
            nothing = Ragged(np.zeros(len(groups), dtype=np.int64), values)
            return {
                f"{self.name}.n": Ragged(nothing.lengths, np.array([], np.int64)),
                self.name: nothing,
            }
        counts = runs.total(ragged(states, f"{self.name}.n").numbers[order].astype(np.int64))
        owners, values = owners[order][runs.starts], values[order][runs.starts]
        counts = counts.astype(np.int64) - self._excess(owners, counts, len(groups))[owners]
        kept = np.flatnonzero(counts > 0)
        lengths = np.bincount(owners[kept], minlength=len(groups))
        return {
            f"{self.name}.n": Ragged(lengths, counts[kept]),
            self.name: Ragged(lengths, values[kept]),
        }

    def _excess(self, owners: Ints, counts: Values, groups: int) -> Ints:
        """Return for each group its count at place `capacity`, 0 where it has no more values."""
        falling = np.lexsort((-counts, owners))
        runs = Groups.of(owners[falling])
        rank = np.arange(len(owners)) - runs.starts[runs.ids]
        at = falling[rank == self.capacity]
        excess = np.zeros(groups, dtype=np.int64)
        excess[owners[at]] = counts[at]
        return excess


@dataclass(frozen=True, slots=True)
class Bins(OfOne):
    """How many values lie in each bin. State: one int per bin."""

    edges: tuple[float, ...]

    @property
    def names(self) -> list[str]:
        """The state columns, lowest bin first."""
        return [f"{self.of.name}.bin {edge}" for edge in ("-inf", *self.edges)]

    @property
    def fields(self) -> tuple[StateField, ...]:
        """One count per bin."""
        return tuple(StateField(name, Wire.INT) for name in self.names)

    def lift(self, at: Ints, columns: Sequence[Values]) -> State:  # noqa: ARG002 - when does not matter
        """Count 1 in the value's bin."""
        (values,) = columns
        places = np.where(missing(values), -1, np.searchsorted(self.edges, values, side="right"))
        return {name: (places == n).astype(np.int64) for n, name in enumerate(self.names)}

    def merge(self, states: State, groups: Groups, merged: State) -> State:  # noqa: ARG002
        """Add up."""
        return {name: groups.total(plain(states, name)) for name in self.names}
