"""Rows of CSV files, plain or compressed: RFC 4180 with commas, quotes and a header, in UTF-8.

1. An event's offset is its row number behind the header; empty lines are no rows.
2. All columns are strings; the decoder makes of them what the contract asks for.
3. A row that cannot be split into the header's columns, or is not UTF-8, is handed on as broken; so
   is the line of a quote that is not closed within one block, and reading goes on behind it.
4. A last row without a newline is a row. So a file may grow by whole rows.
"""

import csv
import io
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal

import numpy as np
import pyarrow as pa
import pyarrow.csv

from featurestore.contracts.block import Block, Rows
from featurestore.errors import SourceError
from flows.sources.byte_file import ByteFile, readable, replaced
from flows.sources.columns import Wanted
from flows.sources.lines import BLOCK, LineReader
from flows.sources.source import now_us

Broken = tuple[int, bytes, str]

_FIELD = rb'(?:"(?:[^"]++|"")*+"[^,\r\n]*+|[^",\r\n][^,\r\n]*+|)'
_RECORD = _FIELD + rb"(?:," + _FIELD + rb")*+(?:\r\n?|\n)"
_RECORDS = re.compile(rb"(?:" + _RECORD + rb")*+")
_ONE_RECORD = re.compile(_RECORD)


@dataclass(frozen=True)
class CsvFile:
    """A CSV file; one partition, for where a row starts depends on all quotes before it.

    Args:
        stream: The stream's name.
        path: The file, absolute and resolved.
        wants: Tells which columns to read.
    """

    stream: str
    path: str
    wants: Wanted
    bounded: bool = True

    def partitions(self) -> list[str]:
        """Name the one partition."""
        return [self.path]

    def open(self, partition: str, after: int | None) -> "CsvPartition":
        """Return the partition, to be read from behind a row; costs parsing up to there."""
        assert partition == self.path
        return CsvPartition(self, -1 if after is None else after)


class CsvPartition:
    """The rows of a CSV file, block by block.

    Args:
        file: The file.
        after: The last row that is not wanted.
    """

    def __init__(self, file: CsvFile, after: int) -> None:
        self._file, self._after, self._row = file, after, 0
        self._bytes = ByteFile(file.path)
        self._records = RecordReader(LineReader(self._bytes.read, 0))

    def next_block(self, wait_ms: int) -> Block:  # noqa: ARG002 - a file is there, or it is not
        """Return the next rows; behind the last ones, a block that says so."""
        file, start, rows = self._file, self._row, self._next_rows()
        while rows is not None and rows.end <= self._after:
            start, rows = self._row, self._next_rows()
        if rows is None:
            if self._row <= self._after:
                raise SourceError(replaced(file.path, f"row {self._after}"))
            return Block(file.stream, file.path, None, self._row - 1, now_us(), finished=True)
        if start <= self._after:
            rows = _behind(rows, self._after)
        return Block(file.stream, file.path, rows, rows.end, now_us())

    def close(self) -> None:
        """Close the file."""
        self._bytes.close()

    def _next_rows(self) -> Rows | None:
        """Return the next rows, if there are any; never none of them."""
        header = self._header
        while (records := self._records.next()) is not None:
            rows = header.rows(records, self._row)
            if rows.end >= self._row:
                self._row = rows.end + 1
                return rows
        return None

    @cached_property
    def _header(self) -> "Header":
        self._records.lines.skip_mark()
        text = self._records.first()
        path = self._file.path
        with readable(path, "the header"):
            try:
                names = next(csv.reader(io.StringIO(text.decode(), newline="")), [])
            except (UnicodeDecodeError, csv.Error) as error:
                msg = f"cannot read {path}: its header is no CSV in UTF-8: {error}"
                raise SourceError(msg) from error
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            msg = f"cannot read {path}: column {twice[0]!r} stands twice in its header"
            raise SourceError(msg)
        if not names:
            msg = f"cannot read {path}: it is empty; its first line must name the columns"
            raise SourceError(msg)
        return Header(names, [name for name in names if self._file.wants(name)] or names)


@dataclass(frozen=True)
class Records:
    """Neighbouring whole records as text, or the beginning of what is none, and why."""

    text: bytes
    fault: str | None = None


@dataclass
class RecordReader:
    r"""Cuts lines into records: a quoted value may hold newlines.

    >>> chunks = iter([b'a,b\n1,"x\n', b'y"\n2,"z\n', b""])
    >>> reader = RecordReader(LineReader(lambda: next(chunks), 0))
    >>> reader.next(), reader.next()
    (Records(text=b'a,b\n', fault=None), Records(text=b'1,"x\ny"\n', fault=None))
    >>> reader.next()
    Records(text=b'2,"z', fault='a quote is opened and not closed')
    """

    lines: LineReader
    _rest: bytes = b""
    _ready: list[Records] = field(default_factory=list)

    def next(self) -> Records | None:
        """Return the next records, None at the end."""
        while not self._ready:
            lines = self.lines.next()
            if lines is None:
                if not self._rest:
                    return None
                self._give_up()
            elif lines.cut:
                self._ready.append(Records(self._rest + lines.data, "the row is too long"))
                self._rest = b""
            else:
                self._cut(self._rest + lines.data + (b"\n" if lines.open else b""))
                if len(self._rest) > BLOCK:
                    self._give_up()
        return self._ready.pop(0)

    def first(self) -> bytes:
        """Return the first record that is not empty; b"" when there is none."""
        while (records := self.next()) is not None:
            text = records.text.lstrip(b"\r\n")
            found = _ONE_RECORD.match(text)
            if text:
                end = found.end() if found else len(text)
                self._ready.insert(0, Records(text[end:], records.fault))
                return text[:end]
        return b""

    def _cut(self, text: bytes) -> None:
        end = len(text)
        if b'"' in text:
            found = _RECORDS.match(text)
            end = found.end() if found else 0
        self._rest = text[end:]
        if end:
            self._ready.append(Records(text[:end]))

    def _give_up(self) -> None:
        """Give up the line that opens a quote; what follows it is read anew."""
        line, _, rest = self._rest.partition(b"\n")
        self._ready.append(Records(line, "a quote is opened and not closed"))
        self._cut(rest)


@dataclass(frozen=True)
class Header:
    """The columns of a CSV file.

    Attributes:
        names: Their names.
        read: Those to read.
    """

    names: Sequence[str]
    read: Sequence[str]

    def rows(self, records: Records, start: int) -> Rows:
        """Return records as rows.

        Args:
            records: The records.
            start: The number of the first.
        """
        if records.fault is not None:
            return self._numbered(b"", np.zeros(0), start, [(start, records.text, records.fault)])
        try:
            records.text.decode()
        except UnicodeDecodeError:
            return self._one_by_one(records.text, start)
        return self._numbered(records.text, None, start, [])

    def _one_by_one(self, text: bytes, start: int) -> Rows:
        found = (record[0].rstrip(b"\r\n") for record in _ONE_RECORD.finditer(text))
        records = [record for record in found if record]
        faults = [not_utf8(record) for record in records]
        numbers = [start + i for i, fault in enumerate(faults) if fault is None]
        whole = [record for record, fault in zip(records, faults, strict=True) if fault is None]
        broken = [
            (start + i, record, fault)
            for i, (record, fault) in enumerate(zip(records, faults, strict=True))
            if fault is not None
        ]
        return self._numbered(b"".join(w + b"\n" for w in whole), np.array(numbers), start, broken)

    def _numbered(
        self, text: bytes, numbers: "np.ndarray | None", start: int, broken: Sequence[Broken]
    ) -> Rows:
        """Return rows of text that have these numbers; None: those that follow each other."""
        uneven: list[pyarrow.csv.InvalidRow] = []
        batch = self._parsed(text, uneven)
        if numbers is None and not uneven:
            return Rows(batch, start, text=True)
        if numbers is None:
            numbers = np.arange(start, start + batch.num_rows + len(uneven))
        places = [row.number - 1 for row in uneven if row.number is not None]
        faults = [
            (int(numbers[place]), row.text.encode(), self._uneven(row))
            for place, row in zip(places, uneven, strict=True)
        ]
        kept = np.delete(numbers, places).astype(np.int64).tolist()
        return Rows(batch, start, tuple(sorted([*broken, *faults])), kept, text=True)

    def _parsed(self, text: bytes, uneven: list[pyarrow.csv.InvalidRow]) -> pa.RecordBatch:
        def skip(row: pyarrow.csv.InvalidRow) -> Literal["skip"]:
            uneven.append(row)
            return "skip"

        schema = pa.schema([(name, pa.string()) for name in self.read])
        if not text.strip(b"\r\n"):
            return pa.RecordBatch.from_pylist([], schema)
        table = pyarrow.csv.read_csv(
            io.BytesIO(text),
            pyarrow.csv.ReadOptions(
                use_threads=False, block_size=len(text) + 1, column_names=list(self.names)
            ),
            pyarrow.csv.ParseOptions(newlines_in_values=True, invalid_row_handler=skip),
            pyarrow.csv.ConvertOptions(
                column_types=schema, include_columns=list(self.read), check_utf8=False
            ),
        )
        batches = table.to_batches()
        return batches[0] if batches else pa.RecordBatch.from_pylist([], schema)

    def _uneven(self, row: pyarrow.csv.InvalidRow) -> str:
        return f"expected {row.expected_columns} columns, got {row.actual_columns}"


def not_utf8(text: bytes) -> str | None:
    r"""Say why a text is not UTF-8, None when it is.

    >>> not_utf8(b"a\xffb"), not_utf8(b"ab")
    ('byte 1 (0xff) is not UTF-8', None)
    """
    try:
        text.decode()
    except UnicodeDecodeError as error:
        return f"byte {error.start} (0x{text[error.start]:02x}) is not UTF-8"
    return None


def _behind(rows: Rows, after: int) -> Rows:
    """Return the rows behind a number."""
    numbers = [number for number in rows.offsets if number > after]
    batch = rows.batch.slice(rows.batch.num_rows - len(numbers))
    broken = tuple(fault for fault in rows.broken if fault[0] > after)
    return Rows(batch, after + 1, broken, numbers, text=True)
