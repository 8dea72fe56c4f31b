"""The third and the fourth moment about the mean, and the co-moment of two inputs.

As `deviation`: a part's moment about the mean of the whole follows from its moments about its own
mean and from how far the two are apart (Pébay 2008), so moments merge, and no power of a large
value is ever taken.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from featurestore.aggregation.accumulators.accumulator import (
    Input,
    OfOne,
    State,
    StateField,
    Wire,
    plain,
)
from featurestore.aggregation.accumulators.deviation import counts_and_means
from featurestore.aggregation.arrays import Floats, Ints, Values
from featurestore.aggregation.groups import Groups


@dataclass(frozen=True, slots=True)
class ThirdMoment(OfOne):
    """The sum of cubes about the mean; needs count, sum and m2 beside it. State: one float."""

    @property
    def fields(self) -> tuple[StateField, ...]:
        """One sum."""
        return (StateField(f"{self.of.name}.m3", Wire.FLOAT),)

    def lift(self, at: Ints, columns: Sequence[Values]) -> State:  # noqa: ARG002 - an event alone
        """Start at 0."""
        return {f"{self.of.name}.m3": np.zeros(len(at))}

    def merge(self, states: State, groups: Groups, merged: State) -> State:
        """Add the moments of the parts about the mean of the whole."""
        name = self.of.name
        counts, apart = _apart(states, groups, merged, self.of)
        parts = plain(states, f"{name}.m3") + 3 * apart * plain(states, f"{name}.m2")
        return {f"{name}.m3": _sum(groups, parts + counts * apart**3)}


@dataclass(frozen=True, slots=True)
class FourthMoment(OfOne):
    """The sum of fourth powers about the mean; needs m3 too. State: one float."""

    @property
    def fields(self) -> tuple[StateField, ...]:
        """One sum."""
        return (StateField(f"{self.of.name}.m4", Wire.FLOAT),)

    def lift(self, at: Ints, columns: Sequence[Values]) -> State:  # noqa: ARG002 - an event alone
        """Start at 0."""
        return {f"{self.of.name}.m4": np.zeros(len(at))}

    def merge(self, states: State, groups: Groups, merged: State) -> State:
        """Add the moments of the parts about the mean of the whole."""
        name = self.of.name
        counts, apart = _apart(states, groups, merged, self.of)
        parts = plain(states, f"{name}.m4") + 4 * apart * plain(states, f"{name}.m3")
        parts = parts + 6 * apart**2 * plain(states, f"{name}.m2") + counts * apart**4
        return {f"{name}.m4": _sum(groups, parts)}


@dataclass(frozen=True, slots=True)
class CoMoment:
    """The sum of products about the two means; needs the counts and sums of both.

    The two inputs have their values in the same events. State: one float.
    """

    x: Input
    y: Input

    @property
    def inputs(self) -> tuple[Input, ...]:
        """The two."""
        return self.x, self.y

    @property
    def fields(self) -> tuple[StateField, ...]:
        """One sum."""
        return (StateField(self.name, Wire.FLOAT),)

    @property
    def name(self) -> str:
        """The state column."""
        return f"{self.x.name}*{self.y.name}"

    def lift(self, at: Ints, columns: Sequence[Values]) -> State:  # noqa: ARG002 - an event alone
        """Start at 0."""
        return {self.name: np.zeros(len(at))}

    def merge(self, states: State, groups: Groups, merged: State) -> State:
        """Add what is within the parts to what is between their means."""
        counts, x = _apart(states, groups, merged, self.x)
        _, y = _apart(states, groups, merged, self.y)
        return {self.name: _sum(groups, plain(states, self.name) + counts * x * y)}


def _apart(states: State, groups: Groups, merged: State, of: Input) -> tuple[Floats, Floats]:
    """Return how many values each part has, and how far its mean is from that of the whole."""
    counts, means = counts_and_means(states, of)
    _, mean = counts_and_means(merged, of)
    return counts, np.where(counts == 0, 0.0, means - mean[groups.ids])


def _sum(groups: Groups, parts: Values) -> Floats:
    """Add up; infinite once out of the range of floats: NaN would count as 0 ever after."""
    whole = groups.total(np.where(np.isfinite(parts), parts, np.inf))
    return np.where(np.isfinite(whole), whole, np.inf)
