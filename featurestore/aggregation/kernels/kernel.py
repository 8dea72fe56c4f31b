"""What a kernel is."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from featurestore.aggregation.accumulators import Accumulator, Counting
from featurestore.aggregation.accumulators.accumulator import Input
from featurestore.aggregation.computed import Cells, Computed, Result

Accumulators = Callable[[Computed], Sequence[Accumulator]]


@dataclass(frozen=True, slots=True)
class Kernel:
    """How one aggregation is computed.

    Attributes:
        accumulators: What is kept of events; one that builds on another stands after it.
        result: The value of each cell, missing where it has none. The results of the measures
            it is computed from come with it.
    """

    accumulators: Accumulators
    result: Callable[[Computed, Cells, Sequence[Result]], Result]


def counted(of: Input | None) -> list[Accumulator]:
    """Return what counts the values of an input; events are counted anyhow."""
    return [Counting(of)] if of is not None and of.nullable else []
