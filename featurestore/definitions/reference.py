"""References: tables that say more about what events name, such as the category of a merchant."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from functools import cached_property
from pathlib import Path

from featurestore.definitions.contract import Kind
from featurestore.definitions.enrichment import Enrichment
from featurestore.definitions.expression import Expression, as_expression
from featurestore.definitions.problems import is_list, report, require
from featurestore.errors import has
from featurestore.instants import duration_us

_KINDS: dict[type, Kind] = {
    str: Kind.TEXT,
    int: Kind.INT,
    float: Kind.FLOAT,
    bool: Kind.BOOL,
    datetime: Kind.DATETIME,
    date: Kind.DATE,
}
ENDINGS = (".parquet", ".csv", ".csv.gz")
SCHEMES = ("redis://", "rediss://")


@dataclass(frozen=True)
class Reference:
    """A table with one row per key, looked up for each event while it comes in.

    Args:
        name: Its name; the columns it gives are named ``{name}.{column}``.
        source: A ``.parquet`` or ``.csv`` file, relative to where the flow is started, or a Redis
            hash, as in ``redis://host:6379/0/merchants``, whose fields are keys and whose values
            are JSON objects; instants and dates are texts in them.
        key: Its column of keys, each there once. In a hash the fields are the keys.
        key_type: What its keys are: str or int.
        columns: Its columns to take, with their types: str, int, float, bool, datetime, date.
        refresh: How often a running flow looks whether it has changed; None: never.

    Raises:
        DefinitionError: It cannot be.

    >>> merchants = Reference("merchants", source="merchants.csv", key="merchant_id",
    ...                       columns={"category": str, "risk": float})
    >>> list(merchants.on("merchant_id").columns)
    ['merchants.category', 'merchants.risk']
    >>> Reference("merchants", source="merchants.xlsx", key="id", columns={"category": str})
    Traceback (most recent call last):
      ...
    featurestore.errors.DefinitionError: reference 'merchants': source 'merchants.xlsx' is neither \
a file (has: .parquet, .csv, .csv.gz) nor a Redis hash (redis://host:port/database/key)
    """

    name: str
    source: str | Path = field(kw_only=True)
    key: str = field(kw_only=True)
    columns: Mapping[str, type] = field(kw_only=True)
    key_type: type = field(default=str, kw_only=True)
    refresh: str | timedelta | None = field(default="60s", kw_only=True)

    def __post_init__(self) -> None:
        holds = {
            "its name must be a text": isinstance(self.name, str) and bool(self.name),
            f"key must name a column, got {self.key!r}": isinstance(self.key, str),
            f"columns must be a dict of types by name, got {self.columns!r}": (
                isinstance(self.columns, Mapping) and is_list(list(self.columns), str)
            ),
        }
        require(f"reference {self.name!r}", holds)
        report([f"reference {self.name!r}: {problem}" for problem in self._problems()])

    def on(self, key: str | Expression, name: str | None = None) -> Enrichment:
        """Look up events by a column, or an expression over columns; use it in `Stream.enrich`.

        Args:
            key: What is looked up.
            name: What the columns start with, in the place of the reference's name, where a stream
                looks up two things in one reference.
        """
        return Enrichment(self, as_expression(key), name or self.name)

    @cached_property
    def kinds(self) -> dict[str, Kind]:
        """What each of its columns holds."""
        return {name: _KINDS[type_] for name, type_ in self.columns.items() if type_ in _KINDS}

    @property
    def key_kind(self) -> Kind:
        """What its keys are."""
        return _KINDS[self.key_type]

    @property
    def key_cure(self) -> str:
        """What to do where events have keys of another kind."""
        return "give key_type= there what they are, or cast"

    @property
    def title(self) -> str:
        """How it is called in messages."""
        return f"reference {self.name!r}"

    @property
    def identity(self) -> str:
        """What stands for it in the version of a view: its name."""
        return self.name

    @property
    def upstream(self) -> tuple[str, ...]:
        """The streams it comes of: none."""
        return ()

    @property
    def refresh_us(self) -> int | None:
        """How often to look for changes, in microseconds."""
        return duration_us(self.refresh) if self.refresh is not None else None

    def _problems(self) -> list[str]:
        source = str(self.source)
        problems = [] if self.columns else ["it has no columns; name at least one, with its type"]
        if not source.lower().endswith(ENDINGS) and not source.startswith(SCHEMES):
            problems.append(
                f"source {source!r} is neither a file {has(ENDINGS)} nor a Redis hash "
                "(redis://host:port/database/key)"
            )
        known = ", ".join(type_.__name__ for type_ in _KINDS)
        problems += [
            f"column {name!r} is {type_!r}, but must be one of {known}"
            for name, type_ in self.columns.items()
            if type_ not in _KINDS
        ]
        if self.key_type not in (str, int):
            problems.append(f"key_type {self.key_type!r} must be str or int")
        try:
            duration_us(self.refresh) if self.refresh is not None else None
        except ValueError as error:
            problems.append(f"refresh {error}")
        return problems
