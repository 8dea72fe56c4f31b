"""References: the tables that a flow looks its events up in, as they are now.

A table is loaded before the first event, and again once it has changed: a file by its time and
size, a Redis hash each time `Reference.refresh` has passed. A version that cannot be read is said
on stderr, and the one before stays.

Events that are read again after a crash are looked up in the table as it is then: a block of which
only some shards were committed may count under the old values in those and under the new ones in
the others; in a view whose entity is named by such a column it may count for both, or for none.
"""

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path

import orjson
import pyarrow as pa
import pyarrow.csv as pacsv
import pyarrow.parquet as pq
import redis
from redis.exceptions import MovedError

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
                loaded.state = state
                loaded.table = _table(reference)
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
    read = _hash if source.startswith(SCHEMES) else _parquet if source.endswith("t") else _csv
    try:
        with readable(source):
            table = read(reference, source)
        return ReferenceTable.of(reference, table)
    except (SourceError, StoreError, ValueError) as error:
        raise _unreadable(reference, error) from error


def _unreadable(reference: Reference, error: Exception) -> SourceError:
    where = Path(str(reference.source).rpartition("@")[2]).name
    return SourceError(f"reference {reference.name!r} ({where}): {error}")


def _parquet(reference: Reference, path: str) -> pa.Table:
    names = pq.read_schema(path).names
    return pq.read_table(path, columns=[n for n in _wanted(reference) if n in names])


def _csv(reference: Reference, path: str) -> pa.Table:
    """Read a CSV file; an empty cell is missing, be it of text."""
    types = {n: _CSV_TYPES.get(kind, ARROW_TYPES[kind]) for n, kind in _wanted(reference).items()}
    options = pacsv.ConvertOptions(column_types=types, strings_can_be_null=True, null_values=[""])
    return pacsv.read_csv(path, convert_options=options)


def _hash(reference: Reference, uri: str) -> pa.Table:
    url, key = redis_place(uri)
    rows = _fields(url, key)
    if not rows:
        msg = f"there is no hash {key!r}"
        raise ValueError(msg)
    keys = [_key(field.decode(), reference.key_kind) for field in rows]
    values = [_row(field, text) for field, text in rows.items()]
    columns = {
        name: pa.array([value.get(name) for value in values], ARROW_TYPES[kind])
        for name, kind in reference.kinds.items()
    }
    return pa.table({reference.key: pa.array(keys, ARROW_TYPES[reference.key_kind]), **columns})


def _fields(url: str, key: str) -> dict[bytes, bytes]:
    """Return the fields of a hash; in a cluster the node asked says which one has it."""
    with mapped(url):
        try:
            return _scanned(url, key)
        except MovedError as moved:
            return _scanned(beside(url, moved.host, moved.port), key)


def _scanned(url: str, key: str) -> dict[bytes, bytes]:
    with redis.Redis.from_url(url) as client:
        return dict(client.hscan_iter(key, count=_PAGE))  # it may give a field twice


def _key(text: str, kind: Kind) -> str | int:
    return int(text) if kind is Kind.INT else text


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


def _wanted(reference: Reference) -> dict[str, Kind]:
    return {reference.key: reference.key_kind, **reference.kinds}
