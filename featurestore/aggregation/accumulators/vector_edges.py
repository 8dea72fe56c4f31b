"""The first and the last vector by event time; of several at one instant as `edges` has it."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from featurestore.aggregation.accumulators.accumulator import (
    OfOne,
    State,
    StateField,
    Wire,
    plain,
)
from featurestore.aggregation.arrays import NULL, Ints, Values, missing
from featurestore.aggregation.groups import Groups


@dataclass(frozen=True, slots=True)
class VectorEdge(OfOne):
    """The newest vector, or the oldest; at one instant the largest, or the smallest, as lists.

    State: a word per component, and the time where vectors may be missing.

    >>> from featurestore.aggregation.accumulators.accumulator import Input
    >>> newest = VectorEdge(Input("taste", Wire.VECTOR, nullable=False, size=2), newest=True)
    >>> tastes = np.array([[9.0, 9.0], [2.0, 7.0], [2.0, 6.0]])
    >>> states = {"last": np.array([5, 9, 9]), "taste.last": tastes}
    >>> newest.merge(states, Groups.of(np.array([0, 0, 0])), {})
    {'taste.last': array([[2., 7.]])}
    """

    newest: bool

    @property
    def name(self) -> str:
        """The state column of the vector."""
        return f"{self.of.name}.{self._edge}"

    @property
    def fields(self) -> tuple[StateField, ...]:
        """The vector, and when it was unless the record's own instants say so."""
        vector = StateField(self.name, Wire.VECTOR, self.of.size)
        return (vector, StateField(f"{self.name}_at", Wire.INT)) if self.of.nullable else (vector,)

    def lift(self, at: Ints, columns: Sequence[Values]) -> State:
        """Take the vector itself."""
        (vectors,) = columns
        return self._state(np.where(missing(vectors), NULL, at), vectors)

    def merge(self, states: State, groups: Groups, merged: State) -> State:  # noqa: ARG002
        """Keep the newest, or the oldest."""
        vectors = plain(states, self.name)
        at = plain(states, f"{self.name}_at" if self.of.nullable else self._edge)
        outermost = groups.largest(at) if self.newest else groups.smallest(at)
        tied = np.flatnonzero(at == outermost[groups.ids])
        chosen = self._one_each(groups.ids[tied], vectors, tied)
        kept = np.full((len(groups), self.of.size), np.nan)
        kept[groups.ids[chosen]] = vectors[chosen]
        return self._state(outermost, kept)

    def _one_each(self, owners: Ints, vectors: Values, tied: Ints) -> Ints:
        """Return which of the vectors at one instant each owner keeps; owners never fall."""
        runs = Groups.of(owners)
        if len(runs) < len(owners):
            components = vectors[tied].T
            tied = tied[np.lexsort((*components[::-1], owners))]
        return tied[runs.ends - 1 if self.newest else runs.starts]

    def _state(self, at: Values, vectors: Values) -> State:
        state: State = {self.name: vectors}
        if self.of.nullable:
            state[f"{self.name}_at"] = at
        return state

    @property
    def _edge(self) -> str:
        return "last" if self.newest else "first"
