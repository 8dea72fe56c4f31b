"""A sum in which every event weighs half as much for every half-life that has passed since.

A state is the sum as of the record's last event; merging and reading let it decay further.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from featurestore.aggregation.accumulators.accumulator import Input, State, StateField, Wire, plain
from featurestore.aggregation.arrays import Floats, Ints, Values, missing
from featurestore.aggregation.groups import Groups


@dataclass(frozen=True, slots=True)
class Decayed:
    """The decayed sum of the values of an input, or how many there are. State: one float.

    Attributes:
        of: The input; None for all events.
        half_life_us: After how many microseconds an event weighs half.
        sums: Whether values are added up, not counted.
    """

    of: Input | None
    half_life_us: int
    sums: bool

    @property
    def inputs(self) -> tuple[Input, ...]:
        """What it is a statistic of."""
        return () if self.of is None else (self.of,)

    @property
    def name(self) -> str:
        """The state column."""
        what = "sum" if self.sums else "n"
        return f"{'' if self.of is None else self.of.name}.{what} decayed {self.half_life_us}"

    @property
    def fields(self) -> tuple[StateField, ...]:
        """One sum."""
        return (StateField(self.name, Wire.FLOAT),)

    def lift(self, at: Ints, columns: Sequence[Values]) -> State:
        """Take the value, or 1, as of its own moment."""
        if self.of is None:
            return {self.name: np.ones(len(at))}
        (values,) = columns
        weights = values if self.sums else np.ones(len(at))
        return {self.name: np.where(missing(values), 0.0, weights)}

    def merge(self, states: State, groups: Groups, merged: State) -> State:
        """Add up what is left of each part at the last event of all."""
        ages = plain(merged, "last")[groups.ids] - plain(states, "last")
        sums = groups.total(plain(states, self.name) * self.left(ages))
        return {self.name: np.where(np.isnan(sums), np.inf, sums)}

    def left(self, ages_us: Values) -> Floats:
        """Return what is left of 1 after some time.

        >>> Decayed(None, 60_000_000, sums=False).left(np.array([0, 60_000_000]))
        array([1. , 0.5])
        """
        with np.errstate(under="ignore"):
            left: Floats = np.exp2(-ages_us / self.half_life_us)
        return left
