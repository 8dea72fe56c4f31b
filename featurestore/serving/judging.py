"""Judging: which values of an answer are exact.

A view's are as `aggregation.exactness` tells; where the view has a maximum age, only if it is sure
which rows are too old. What a function computes is exact if all of its inputs are.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from featurestore.definitions.served import Served
from featurestore.definitions.service import Place
from featurestore.serving.computing import place_key
from featurestore.serving.part import Part
from featurestore.serving.readers import in_parts

Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Judging:
    """Tells which values of vectors are exact.

    Attributes:
        parts: The views that are read.
        behind: For each place of the vector the places read that it comes of.
    """

    parts: Sequence[Part]
    behind: Sequence[Sequence[int]]

    @classmethod
    def of(
        cls, parts: Sequence[Part], places: Sequence[Place], read: Sequence[Served]
    ) -> "Judging":
        """Work out what each place comes of."""
        known = {place_key(served): number for number, served in enumerate(read)}
        of = [[place] if isinstance(place, Served) else place.by.needs for place in places]
        return cls(parts, [[known[place_key(each)] for each in needed] for needed in of])

    def exact(
        self, entities: int, rows: Sequence[bytes | None], moments: Sequence[int]
    ) -> list[list[bool]]:
        """Tell of each value of each entity whether it is exact.

        Args:
            entities: How many there are.
            rows: What was found of each, view by view.
            moments: What `now` is, view by view.

        Cost: that of `Exactness.of` for each view.
        """
        read: dict[int, Mask] = {}
        for number, (part, now_us) in enumerate(zip(self.parts, moments, strict=True)):
            mine = rows[number :: len(self.parts)]
            read |= zip(part.places, _of_part(part, mine, now_us), strict=True)
        sure = np.ones(entities, dtype=bool)
        columns = [np.logical_and.reduce([sure, *(read[n] for n in of)]) for of in self.behind]
        return np.array(columns, dtype=bool).reshape(len(columns), entities).T.tolist()


def _of_part(part: Part, rows: Sequence[bytes | None], now_us: int) -> list[Mask]:
    """Tell of each value of a view whether it is exact.

    An event found young enough is proof that the row is; that it is too old, if none was missed.
    """
    parts = [part.exactness.of(some, now_us) for some in in_parts(rows)]
    exact = [np.concatenate(of) for of in zip(*parts, strict=True)]
    if not part.ages:
        return exact
    *exact, age = exact
    _, times = part.reader.columns(rows, now_us)
    young = np.array([at is not None for at in times[-1].plain()], dtype=bool)
    return [np.where(young, each, age) for each in exact]
