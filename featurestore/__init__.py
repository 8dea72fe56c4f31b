"""A streaming feature store: windows computed as events arrive, cut when a model asks."""

from featurestore.definitions.catalog import Catalog, load
from featurestore.definitions.entity import Entity
from featurestore.definitions.expression import Expression, column
from featurestore.definitions.measure import (
    Measure,
    count,
    distinct,
    first,
    last,
    maximum,
    mean,
    minimum,
    std,
    total,
)
from featurestore.definitions.service import FeatureService
from featurestore.definitions.stream import Stream
from featurestore.definitions.view import FeatureView
from featurestore.errors import FeatureStoreError

__all__ = [
    "Catalog",
    "Entity",
    "Expression",
    "FeatureService",
    "FeatureStoreError",
    "FeatureView",
    "Measure",
    "Stream",
    "column",
    "count",
    "distinct",
    "first",
    "last",
    "load",
    "maximum",
    "mean",
    "minimum",
    "std",
    "total",
]
