"""The value of one input where another is smallest or largest.

Of several such events it is the smallest, or the largest, value.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from featurestore.aggregation.accumulators.accumulator import Input, State, StateField, plain
from featurestore.aggregation.arrays import Ints, Values, empty_like, missing
from featurestore.aggregation.groups import Groups


@dataclass(frozen=True, slots=True)
class Best:
    """The value of `of` where `by` is largest, or smallest. State: a value of each."""

    of: Input
    by: Input
    largest: bool

    @property
    def inputs(self) -> tuple[Input, ...]:
        """The two."""
        return self.of, self.by

    @property
    def name(self) -> str:
        """The state column of the value."""
        return f"{self.of.name} {'max' if self.largest else 'min'}_by {self.by.name}"

    @property
    def fields(self) -> tuple[StateField, ...]:
        """The value, and what it was chosen by."""
        return StateField(self.name, self.of.wire), StateField(f"{self.name}.by", self.by.wire)

    def lift(self, at: Ints, columns: Sequence[Values]) -> State:  # noqa: ARG002 - when does not matter
        """Take both where neither is missing."""
        of, by = columns
        absent = missing(of) | missing(by)
        return {
            self.name: np.where(absent, empty_like(of, len(of)), of),
            f"{self.name}.by": np.where(absent, empty_like(by, len(by)), by),
        }

    def merge(self, states: State, groups: Groups, merged: State) -> State:  # noqa: ARG002
        """Keep the best."""
        choose = groups.largest if self.largest else groups.smallest
        values, by = plain(states, self.name), plain(states, f"{self.name}.by")
        best = choose(by)
        chosen = np.where(by == best[groups.ids], values, empty_like(values, len(values)))
        return {self.name: choose(chosen), f"{self.name}.by": best}
