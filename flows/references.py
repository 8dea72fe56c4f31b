"""References: the tables that a flow looks its events up in, as they are now.

A table is loaded before the first event, and again once it has changed: a file by its time and
size, a Redis hash each time `Reference.refresh` has passed. A version that cannot be read is said
on stderr, and the one before stays.

Events that are read again after a crash are looked up in the table as it is then: a block of which
only some shards were committed may count under the old values in those and under the new ones in
the others; in a view whose entity is named by such a column it may count for both, or for none.
"""

import gzip
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, cast

import orjson
import pyarrow as pa
import pyarrow.csv as pacsv
import pyarrow.parquet as pq
import redis
from redis.exceptions import MovedError

from featurestore.aggregation.arrays import LARGEST
from featurestore.contracts.reference_table import ReferenceTable
from featurestore.definitions.contract import ARROW_TYPES, Kind
from featurestore.definitions.reference import SCHEMES, Reference
from featurestore.errors import SourceError, StoreError
from featurestore.storage.faults import mapped
from featurestore.storage.topology import beside
from flows.sources.byte_file import readable
from flows.sources.source import say
from flows.sources.uri import redis_place

_PAGE = 10_000
_CSV_TYPES: dict[Kind, pa.DataType] = {Kind.DATETIME: pa.string()}  # Arrow's own is narrower
_JSON_TYPES: dict[Kind, pa.DataType] = {Kind.DATETIME: pa.string(), Kind.DATE: pa.string()}
_WRITTEN_AS: dict[Kind, type] = {
    Kind.TEXT: str,
    Kind.INT: int,
    Kind.FLOAT: float,
    Kind.BOOL: bool,
    Kind.DATETIME: str,
    Kind.DATE: str,
}
State = tuple[int, ...] | None  # what a file looks like from outside; None where nothing tells


def steady_us() -> int:
    """Return a clock in microseconds that never jumps; it starts anywhere."""
    return time.monotonic_ns() // 1000


@dataclass
class Loaded:
    """A reference's table, and when it was last looked after.

    Attributes:
        table: Its rows.
        state: What its source looked like then.
        checked_us: When that was.
    """

    table: ReferenceTable
    state: State
    checked_us: int


@dataclass(frozen=True)
class LiveReferences:
    """References, each with its table.

    Attributes:
        loaded: Their tables, by the identity of the reference.
        steady: Returns a clock that never jumps.
    """

    loaded: dict[int, Loaded] = field(default_factory=dict)
    steady: Callable[[], int] = steady_us

    @classmethod
    def of(
        cls, references: Iterable[Reference], steady: Callable[[], int] = steady_us
    ) -> "LiveReferences":
        """Load references.

        Raises:
            SourceError: One cannot be read, or does not hold what was promised.
        """
        return cls({id(of): _loaded(of, steady()) for of in references}, steady)

    def table(self, reference: Reference) -> ReferenceTable:
        """Return a reference's rows as they are now.

        Cost: a look at the file now and then; the time to load it whenever it has changed.
        """
        loaded, now_us = self.loaded[id(reference)], self.steady()
        every_us = reference.refresh_us
        if every_us is not None and now_us - loaded.checked_us >= every_us:
            loaded.checked_us = now_us
            self._refresh(reference, loaded)
        return loaded.table

    def _refresh(self, reference: Reference, loaded: Loaded) -> None:
        try:
            if (state := _state(reference)) is None or state != loaded.state:
                loaded.table = _table(reference)
                loaded.state = state  # not before: what cannot be read now may be next time
        except SourceError as error:
            say(f"{error}; its rows of before are used")


def _loaded(reference: Reference, now_us: int) -> Loaded:
    state = _state(reference)
    return Loaded(_table(reference), state, now_us)


def _state(reference: Reference) -> State:
    if str(reference.source).startswith(SCHEMES):
        return None
    try:
        with readable(str(reference.source)):
            stat = Path(reference.source).stat()
    except SourceError as error:
        raise _unreadable(reference, error) from error
    return stat.st_mtime_ns, stat.st_size, stat.st_ino


def _table(reference: Reference) -> ReferenceTable:
    source = str(reference.source)
    read = _hash if source.startswith(SCHEMES) else _file
    try:
        return ReferenceTable.of(reference, read(reference, source))
    except (SourceError, StoreError, ValueError) as error:
        raise _unreadable(reference, error) from error


def _unreadable(reference: Reference, error: Exception) -> SourceError:
    where = Path(str(reference.source).rpartition("@")[2]).name
    return SourceError(f"reference {reference.name!r} ({where}): {error}")


def _file(reference: Reference, path: str) -> pa.Table:
    read = _parquet if path.lower().endswith(".parquet") else _csv
    with readable(path):
        return read(reference, path)


def _parquet(reference: Reference, path: str) -> pa.Table:
    with pq.ParquetFile(path) as file:  # read_table would add columns that the path names
        names = file.schema_arrow.names
        return file.read(columns=[n for n in _wanted(reference) if n in names])


def _csv(reference: Reference, path: str) -> pa.Table:
    """Read a CSV file; an empty cell is missing, be it of text. One in quotes may have lines."""
    types = {n: _CSV_TYPES.get(kind, ARROW_TYPES[kind]) for n, kind in _wanted(reference).items()}
    options = pacsv.ConvertOptions(column_types=types, strings_can_be_null=True, null_values=[""])
    lines = pacsv.ParseOptions(newlines_in_values=True)
    opened = gzip.open if path.lower().endswith(".gz") else open
    with cast("IO[bytes]", opened(path, "rb")) as file:
        return pacsv.read_csv(file, parse_options=lines, convert_options=options)


def _hash(reference: Reference, uri: str) -> pa.Table:
    url, key = redis_place(uri)
    rows = _fields(url, key)
    if not rows:
        msg = f"there is no hash {key!r}"
        raise ValueError(msg)
    values = {field.decode(): _row(field, text) for field, text in rows.items()}
    columns = {
        name: pa.array(
            [_cell(field, row, name, kind) for field, row in values.items()],
            _JSON_TYPES.get(kind, ARROW_TYPES[kind]),
        )
        for name, kind in reference.kinds.items()
    }
    return pa.table({reference.key: pa.array(values, pa.string()), **columns})


def _fields(url: str, key: str) -> dict[bytes, bytes]:
    """Return the fields of a hash; in a cluster the node asked says which one has it."""
    with mapped(url):
        try:
            return _scanned(url, key)
        except MovedError as moved:
            return _scanned(beside(url, moved.host, moved.port), key)


def _scanned(url: str, key: str) -> dict[bytes, bytes]:
    with redis.Redis.from_url(url) as client:
        held = client.type(key)
        if held not in {b"hash", b"none"}:
            msg = f"{key!r} is a {held.decode()}, and no hash"
            raise ValueError(msg)
        return dict(client.hscan_iter(key, count=_PAGE))  # it may give a field twice


def _row(key: bytes, text: bytes) -> dict[str, object]:
    try:
        row = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        msg = f"field {key.decode()!r}: {error}"
        raise ValueError(msg) from error
    if not isinstance(row, dict):
        msg = f"field {key.decode()!r} must be a JSON object, got {text[:60].decode()!r}"
        raise ValueError(msg)  # noqa: TRY004 - as every other mistake in a table
    return row


def _cell(field: str, row: Mapping[str, object], name: str, kind: Kind) -> object:
    """Return a value of a row, which must be what JSON writes values of a kind as."""
    value = row.get(name)
    if kind is Kind.INT and isinstance(value, float) and value.is_integer():
        value = int(value)
    if kind is Kind.FLOAT and type(value) is int:
        value = float(value)
    right = value is None or type(value) is _WRITTEN_AS[kind]
    if not right or (type(value) is int and not -LARGEST <= value <= LARGEST):
        msg = f"field {field!r}: {name} must be {kind.value}, got {value!r}"
        raise ValueError(msg)
    return value


def _wanted(reference: Reference) -> dict[str, Kind]:
    return {reference.key: reference.key_kind, **reference.kinds}
