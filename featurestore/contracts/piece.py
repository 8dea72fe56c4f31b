"""A piece: columns of some of a block's events, which know their places in the block."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from featurestore.contracts.fixed_text import Ints, Mask
from featurestore.definitions.contract import Column


@dataclass(frozen=True, slots=True)
class Piece:
    """Accepted events.

    Attributes:
        places: Where each stands in its block, from 0.
        columns: Their values by column name, typed as `Column.arrow_type` says.
    """

    places: Ints
    columns: Mapping[str, Any]

    @classmethod
    def of_values(
        cls, places: Sequence[int], events: Sequence[Sequence[Any]], columns: Sequence[Column]
    ) -> "Piece":
        """Return events given one by one, each with its values in the order of `columns`.

        >>> from featurestore.definitions.contract import Kind
        >>> amount = Column("amount", Kind.FLOAT, nullable=False, path=("amount",))
        >>> Piece.of_values([3, 4], [[1.5], [2.5]], [amount]).columns["amount"].to_pylist()
        [1.5, 2.5]
        """
        by_column = zip(*events, strict=True) if events else [()] * len(columns)
        arrays = {
            column.name: pa.array(values, column.arrow_type)
            for column, values in zip(columns, by_column, strict=True)
        }
        return cls(np.array(places, np.int64), arrays)

    def only(self, chosen: Mask) -> "Piece":
        """Return the events chosen."""
        if chosen.all():
            return self
        mask = pa.array(chosen)
        return Piece(self.places[chosen], {n: c.filter(mask) for n, c in self.columns.items()})


def in_order(pieces: Sequence[Piece]) -> Piece:
    """Return pieces as one, in the order of their places.

    >>> late, early = (Piece(np.array([at]), {"n": pa.array([at])}) for at in (5, 2))
    >>> in_order([late, early]).columns["n"].to_pylist()
    [2, 5]
    """
    pieces = [piece for piece in pieces if len(piece.places)] or [*pieces[:1]]
    if len(pieces) == 1:
        return pieces[0]
    places = np.concatenate([piece.places for piece in pieces])
    columns = {
        name: pa.concat_arrays([piece.columns[name] for piece in pieces])
        for name in pieces[0].columns
    }
    if (np.diff(places) > 0).all():
        return Piece(places, columns)
    order = np.argsort(places, kind="stable")
    taken = pa.array(order)
    return Piece(places[order], {name: column.take(taken) for name, column in columns.items()})
