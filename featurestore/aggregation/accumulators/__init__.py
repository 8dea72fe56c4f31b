"""Accumulators: the mergeable states that features are made of, one statistic per file.

An accumulator is algebra over columns of states, many records at a time:

``fields``  which columns its state has;
``lift``    the state of each single event;
``merge``   the state of each group of records, whatever their order: merging is associative and
            commutative (floats up to rounding), so a row is the merge of its frames.

The empty state is a state like any other: no events, all values missing.
"""

from featurestore.aggregation.accumulators.accumulator import Accumulator, State, StateField, Wire
from featurestore.aggregation.accumulators.adding import Adding
from featurestore.aggregation.accumulators.best import Best
from featurestore.aggregation.accumulators.counting import Counting
from featurestore.aggregation.accumulators.decayed import Decayed
from featurestore.aggregation.accumulators.deviation import Deviation
from featurestore.aggregation.accumulators.distinct import Distinct
from featurestore.aggregation.accumulators.edges import First, Last
from featurestore.aggregation.accumulators.extremes import Maximum, Minimum
from featurestore.aggregation.accumulators.lists import Extreme, Timed
from featurestore.aggregation.accumulators.moments import CoMoment, FourthMoment, ThirdMoment
from featurestore.aggregation.accumulators.own import Own
from featurestore.aggregation.accumulators.ranks import Ranks
from featurestore.aggregation.accumulators.summing import Summing
from featurestore.aggregation.accumulators.tally import Bins, Tally
from featurestore.aggregation.accumulators.vector_edges import VectorEdge

__all__ = [
    "Accumulator",
    "Adding",
    "Best",
    "Bins",
    "CoMoment",
    "Counting",
    "Decayed",
    "Deviation",
    "Distinct",
    "Extreme",
    "First",
    "FourthMoment",
    "Last",
    "Maximum",
    "Minimum",
    "Own",
    "Ranks",
    "State",
    "StateField",
    "Summing",
    "Tally",
    "ThirdMoment",
    "Timed",
    "VectorEdge",
    "Wire",
]
