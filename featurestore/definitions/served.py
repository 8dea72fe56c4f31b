"""Served features: which feature of which view stands in a vector, under which name."""

from dataclasses import dataclass

from featurestore.definitions.contract import Kind
from featurestore.definitions.view import Feature, FeatureView, Selection
from featurestore.errors import has, hint


@dataclass(frozen=True, slots=True)
class Served:
    """A feature of a view, under the name it is read by."""

    name: str
    view: FeatureView
    feature: Feature

    @property
    def kind(self) -> Kind:
        """What it holds."""
        return self.feature.kind

    @property
    def size(self) -> int:
        """How many floats a vector has; 0 for other values."""
        return self.feature.size


def selection_of(part: FeatureView | Selection) -> Selection:
    """Return a view as the selection of all its features."""
    return part.prefix("") if isinstance(part, FeatureView) else part


def served_of(selection: Selection) -> list[Served]:
    """Return the features selected, as far as they are there."""
    features = {feature.name: feature for feature in selection.view.outputs}
    return [
        Served(selection.prefix + name, selection.view, features[name])
        for name in selection.features
        if name in features
    ]


def unknown_in(selection: Selection) -> list[str]:
    """Say of each selected feature that is not there what was probably meant."""
    known = [feature.name for feature in selection.view.outputs]
    return [
        f"view {selection.view.name!r} has no feature {name!r} {has(known)}{hint(name, known)}"
        for name in selection.features
        if name not in known
    ]
