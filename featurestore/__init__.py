"""A streaming feature store: windows computed as events arrive, cut when a model asks.

Names are loaded when they are first used, so that importing the package costs next to nothing.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from featurestore.definitions.aggregations.counting import count, rate
    from featurestore.definitions.aggregations.decayed import (
        decayed_count,
        decayed_mean,
        decayed_total,
    )
    from featurestore.definitions.aggregations.distinct import distinct
    from featurestore.definitions.aggregations.edges import (
        first,
        last,
        time_since_first,
        time_since_last,
    )
    from featurestore.definitions.aggregations.extremes import max_by, maximum, min_by, minimum
    from featurestore.definitions.aggregations.lists import (
        bottom_k,
        distinct_values,
        first_n,
        last_n,
        top_k,
    )
    from featurestore.definitions.aggregations.moments import kurtosis, skewness, std, variance
    from featurestore.definitions.aggregations.own import OwnAggregation, own
    from featurestore.definitions.aggregations.quantiles import median, quantile, quantiles
    from featurestore.definitions.aggregations.relations import correlation, covariance, ratio
    from featurestore.definitions.aggregations.summing import mean, total
    from featurestore.definitions.aggregations.tallies import counts_by, histogram, most_frequent
    from featurestore.definitions.calendar import (
        day_of_month,
        day_of_week,
        hour_of_day,
        is_weekend,
        minute_of_day,
        month_of_year,
    )
    from featurestore.definitions.catalog import Catalog, load
    from featurestore.definitions.entity import Entity
    from featurestore.definitions.expression import (
        Expression,
        coalesce,
        column,
        greatest,
        if_else,
        least,
    )
    from featurestore.definitions.latest import Latest
    from featurestore.definitions.measure import Measure
    from featurestore.definitions.on_demand import OnDemand, on_demand
    from featurestore.definitions.reference import Reference
    from featurestore.definitions.service import FeatureService
    from featurestore.definitions.stream import Stream
    from featurestore.definitions.view import FeatureView
    from featurestore.definitions.window import (
        last_n_events,
        lifetime,
        session,
        sliding,
        tumbling,
    )
    from featurestore.errors import FeatureStoreError

__all__ = [
    "Catalog",
    "Entity",
    "Expression",
    "FeatureService",
    "FeatureStoreError",
    "FeatureView",
    "Latest",
    "Measure",
    "OnDemand",
    "OwnAggregation",
    "Reference",
    "Stream",
    "bottom_k",
    "coalesce",
    "column",
    "correlation",
    "count",
    "counts_by",
    "covariance",
    "day_of_month",
    "day_of_week",
    "decayed_count",
    "decayed_mean",
    "decayed_total",
    "distinct",
    "distinct_values",
    "first",
    "first_n",
    "greatest",
    "histogram",
    "hour_of_day",
    "if_else",
    "is_weekend",
    "kurtosis",
    "last",
    "last_n",
    "last_n_events",
    "least",
    "lifetime",
    "load",
    "max_by",
    "maximum",
    "mean",
    "median",
    "min_by",
    "minimum",
    "minute_of_day",
    "month_of_year",
    "most_frequent",
    "on_demand",
    "own",
    "quantile",
    "quantiles",
    "rate",
    "ratio",
    "session",
    "skewness",
    "sliding",
    "std",
    "time_since_first",
    "time_since_last",
    "top_k",
    "total",
    "tumbling",
    "variance",
]

_HOMES = {
    "Catalog": "definitions.catalog",
    "Entity": "definitions.entity",
    "Expression": "definitions.expression",
    "FeatureService": "definitions.service",
    "FeatureStoreError": "errors",
    "FeatureView": "definitions.view",
    "Latest": "definitions.latest",
    "Measure": "definitions.measure",
    "OnDemand": "definitions.on_demand",
    "OwnAggregation": "definitions.aggregations.own",
    "Reference": "definitions.reference",
    "Stream": "definitions.stream",
    "bottom_k": "definitions.aggregations.lists",
    "coalesce": "definitions.expression",
    "column": "definitions.expression",
    "correlation": "definitions.aggregations.relations",
    "count": "definitions.aggregations.counting",
    "counts_by": "definitions.aggregations.tallies",
    "covariance": "definitions.aggregations.relations",
    "day_of_month": "definitions.calendar",
    "day_of_week": "definitions.calendar",
    "decayed_count": "definitions.aggregations.decayed",
    "decayed_mean": "definitions.aggregations.decayed",
    "decayed_total": "definitions.aggregations.decayed",
    "distinct": "definitions.aggregations.distinct",
    "distinct_values": "definitions.aggregations.lists",
    "first": "definitions.aggregations.edges",
    "first_n": "definitions.aggregations.lists",
    "greatest": "definitions.expression",
    "histogram": "definitions.aggregations.tallies",
    "hour_of_day": "definitions.calendar",
    "if_else": "definitions.expression",
    "is_weekend": "definitions.calendar",
    "kurtosis": "definitions.aggregations.moments",
    "last": "definitions.aggregations.edges",
    "last_n": "definitions.aggregations.lists",
    "last_n_events": "definitions.window",
    "least": "definitions.expression",
    "lifetime": "definitions.window",
    "load": "definitions.catalog",
    "max_by": "definitions.aggregations.extremes",
    "maximum": "definitions.aggregations.extremes",
    "mean": "definitions.aggregations.summing",
    "median": "definitions.aggregations.quantiles",
    "min_by": "definitions.aggregations.extremes",
    "minimum": "definitions.aggregations.extremes",
    "minute_of_day": "definitions.calendar",
    "month_of_year": "definitions.calendar",
    "most_frequent": "definitions.aggregations.tallies",
    "on_demand": "definitions.on_demand",
    "own": "definitions.aggregations.own",
    "quantile": "definitions.aggregations.quantiles",
    "quantiles": "definitions.aggregations.quantiles",
    "rate": "definitions.aggregations.counting",
    "ratio": "definitions.aggregations.relations",
    "session": "definitions.window",
    "skewness": "definitions.aggregations.moments",
    "sliding": "definitions.window",
    "std": "definitions.aggregations.moments",
    "time_since_first": "definitions.aggregations.edges",
    "time_since_last": "definitions.aggregations.edges",
    "top_k": "definitions.aggregations.lists",
    "total": "definitions.aggregations.summing",
    "tumbling": "definitions.window",
    "variance": "definitions.aggregations.moments",
}

if not TYPE_CHECKING:  # a type checker would take every misspelt name for one of these

    def __getattr__(name: str) -> object:
        """Load a public name."""
        if name not in _HOMES:
            msg = f"module {__name__!r} has no attribute {name!r}"
            raise AttributeError(msg)
        value = getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
        globals()[name] = value
        return value

    def __dir__() -> list[str]:
        """List the public names."""
        return sorted({*globals(), *__all__})
