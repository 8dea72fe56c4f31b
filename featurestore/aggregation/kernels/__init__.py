"""Kernels: what is kept of events for each aggregation, and how its result comes of that.

The other half of `featurestore.definitions.aggregations`; joined with it by name in `KERNELS`.
"""

from collections.abc import Mapping

from featurestore.aggregation.kernels import (
    counting,
    decayed,
    distinct,
    edges,
    extremes,
    lists,
    moments,
    own,
    quantiles,
    relations,
    summing,
    tallies,
)
from featurestore.aggregation.kernels.kernel import Kernel

_FAMILIES = (
    counting,
    decayed,
    distinct,
    edges,
    extremes,
    lists,
    moments,
    own,
    quantiles,
    relations,
    summing,
    tallies,
)

KERNELS: Mapping[str, Kernel] = {
    name: kernel for family in _FAMILIES for name, kernel in family.KERNELS.items()
}
