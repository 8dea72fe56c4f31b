"""Enrichment: columns that events get because something is looked up for them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from featurestore.definitions.contract import Kind
from featurestore.definitions.expression import Expression


class Table(Protocol):
    """What events can be looked up in: a `Reference`, or the `Latest` events of a stream."""

    @property
    def name(self) -> str:
        """Its name."""

    @property
    def title(self) -> str:
        """What it is and how it is called, for people."""

    @property
    def identity(self) -> str:
        """All that decides what is found in it, as text."""

    @property
    def key_kind(self) -> Kind:
        """What its keys are."""

    @property
    def key_cure(self) -> str:
        """What to do where keys are of another kind."""

    @property
    def kinds(self) -> Mapping[str, Kind]:
        """What each of its columns holds."""

    @property
    def upstream(self) -> Sequence[str]:
        """The streams that what it holds comes of, the nearest first."""


@dataclass(frozen=True, eq=False)
class Enrichment:
    """A table looked up by the events of a stream.

    Attributes:
        table: The table.
        key: What is looked up.
        name: What its columns start with.
    """

    table: Table
    key: Expression
    name: str

    @property
    def columns(self) -> dict[str, Kind]:
        """The columns it gives, with what they hold."""
        return {f"{self.name}.{name}": kind for name, kind in self.table.kinds.items()}

    @property
    def fingerprint(self) -> str:
        """What it does, as text."""
        columns = ", ".join(f"{name} {kind.value}" for name, kind in self.columns.items())
        return f"{self.table.identity} on {self.key}: {columns}"
