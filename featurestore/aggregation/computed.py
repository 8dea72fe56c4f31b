"""What is computed of merged states: the measures of a view, and the cells they fill."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from featurestore.aggregation.accumulators import State
from featurestore.aggregation.accumulators.accumulator import Input, plain
from featurestore.aggregation.arrays import Floats, Ints, Ragged, Values
from featurestore.definitions.contract import Kind
from featurestore.definitions.measure import Measure


@dataclass(frozen=True, slots=True)
class Computed:
    """One measure of a view, with what it takes to compute it.

    Attributes:
        measure: The measure.
        inputs: What it aggregates; none counts events.
        kind: What its values are.
        items: What the items of a list or the keys of a map are.
        parts: The measures it is computed from.
    """

    measure: Measure
    inputs: tuple[Input, ...]
    kind: Kind
    items: Kind | None = None
    parts: "tuple[Computed, ...]" = ()

    @property
    def input(self) -> Input | None:
        """What it aggregates, the first of several; None counts events."""
        return self.inputs[0] if self.inputs else None

    @property
    def counts(self) -> bool:
        """Whether it is 0, not missing, where there are no events."""
        return self.measure.rule.counts

    def everything(self) -> "list[Computed]":
        """Return the measure and all it is computed from."""
        return [self, *(each for part in self.parts for each in part.everything())]

    @property
    def zero(self) -> int | float | None:
        """What it is where there are no events."""
        return {Kind.INT: 0, Kind.FLOAT: 0.0}[self.kind] if self.counts else None


@dataclass(frozen=True, slots=True)
class Cells:
    """Merged states, one for each window of each row that has events in it.

    Attributes:
        state: The states.
        now_us: The moment each is asked for.
        end_us: Where its window ends.
        width_us: How long its window is.
    """

    state: State
    now_us: Ints
    end_us: Ints
    width_us: Ints

    def __len__(self) -> int:
        return len(self.now_us)

    def column(self, name: str) -> Values:
        """Return a state column of one number each."""
        return plain(self.state, name)

    def counts(self, of: Input | None) -> Ints:
        """Return how many values of an input there are, or how many events."""
        return self.column("n" if of is None else of.counted).astype(np.int64)


@dataclass(frozen=True, slots=True)
class Map:
    """For each cell values and how often they came, in the order to show them."""

    keys: Ragged
    counts: Ragged


Result = Values | Ragged | Map


def finite(values: Values) -> Floats:
    """Return floats, missing where they left the range of floats."""
    floats: Floats = np.where(np.isfinite(values), values, np.nan)
    return floats


def listed(vectors: Values) -> Ragged:
    """Return vectors as lists, empty where one of the components has no value.

    >>> listed(np.array([[1.0, 2.0], [3.0, np.inf]]))
    Ragged(lengths=array([2, 0]), numbers=array([1., 2.]))
    """
    whole = np.isfinite(vectors).all(axis=1)
    return Ragged(np.where(whole, vectors.shape[1], 0), vectors[whole].ravel())


def divided(values: Values, by: Values | npt.NDArray[np.floating]) -> Floats:
    """Return quotients, missing where the divisor is not positive."""
    return finite(np.where(by <= 0, np.nan, values / np.where(by <= 0, 1, by)))
