"""A streaming feature store: windows computed as events arrive, cut when a model asks.

Names are loaded when they are first used, so that importing the package costs next to nothing.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
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

_HOMES = {
    "Catalog": "definitions.catalog",
    "Entity": "definitions.entity",
    "Expression": "definitions.expression",
    "FeatureService": "definitions.service",
    "FeatureStoreError": "errors",
    "FeatureView": "definitions.view",
    "Measure": "definitions.measure",
    "Stream": "definitions.stream",
    "column": "definitions.expression",
    "count": "definitions.measure",
    "distinct": "definitions.measure",
    "first": "definitions.measure",
    "last": "definitions.measure",
    "load": "definitions.catalog",
    "maximum": "definitions.measure",
    "mean": "definitions.measure",
    "minimum": "definitions.measure",
    "std": "definitions.measure",
    "total": "definitions.measure",
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
