"""Results: from a merged state to the value of a measure."""

import numpy as np

from featurestore.aggregation.accumulators import State
from featurestore.aggregation.accumulators.accumulator import Input
from featurestore.aggregation.accumulators.distinct import estimate
from featurestore.aggregation.arrays import NULL, Floats, Ragged, Values
from featurestore.definitions.measure import Aggregation, Measure


def result_of(measure: Measure, of: Input | None, state: State) -> Values:
    """Return the value of a measure for each state, missing where it has none.

    A float that is not finite, such as a total beyond the range of floats, is missing.
    """
    if of is None:
        return _plain(state, "n")
    match measure.aggregation:
        case Aggregation.COUNT:
            return _plain(state, of.counted)
        case Aggregation.DISTINCT:
            sets = state[f"{of.name}.hashes"]
            assert isinstance(sets, Ragged)
            return np.where(sets.lengths == 0, NULL, estimate(sets))
        case Aggregation.TOTAL:
            return _total(state, of)
        case Aggregation.MEAN:
            return _mean(state, of, f"{of.name}.sum")
        case Aggregation.STD:
            return np.sqrt(_mean(state, of, f"{of.name}.m2"))
        case Aggregation.MINIMUM:
            return _plain(state, f"{of.name}.min")
        case Aggregation.MAXIMUM:
            return _plain(state, f"{of.name}.max")
        case Aggregation.FIRST | Aggregation.LAST:
            return _plain(state, f"{of.name}.{measure.aggregation}")


def _plain(state: State, name: str) -> Values:
    values = state[name]
    assert isinstance(values, np.ndarray)
    return values


def _total(state: State, of: Input) -> Values:
    counts, sums = _plain(state, of.counted), _plain(state, f"{of.name}.sum")
    if sums.dtype == np.float64:
        return _finite(np.where(counts == 0, np.nan, sums))
    return np.where(counts == 0, NULL, sums)


def _mean(state: State, of: Input, summed: str) -> Floats:
    counts, sums = _plain(state, of.counted), _plain(state, summed)
    return _finite(np.where(counts <= 0, np.nan, sums / np.maximum(counts, 1)))


def _finite(values: Floats) -> Floats:
    return np.where(np.isfinite(values), values, np.nan)
