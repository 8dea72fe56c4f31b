"""Rows of Parquet files.

1. An event's offset is its row number in the file.
2. Partition k holds the rows ``[k * size, (k + 1) * size)``, whatever the row groups are, so that a
   longer version of the file has the same partitions and more. Partition 0 is named by the path,
   the others ``path#k``.
3. A row group is decoded once: a partition that was read to its end leaves its reader for the next
   one. One worker reads neighbouring partitions in order.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field

import pyarrow as pa
import pyarrow.parquet as pq

from featurestore.contracts.block import Block, Rows
from featurestore.errors import SourceError
from flows.sources.byte_file import readable, replaced
from flows.sources.columns import Wanted
from flows.sources.source import now_us

PARTITION_ROWS = 1 << 18
BLOCK_ROWS = 1 << 14


@dataclass
class ParquetFile:
    """A Parquet file.

    Args:
        stream: The stream's name.
        path: The file, absolute and resolved.
        wants: Tells which columns to read.
        partition_rows: How many rows make a partition.
    """

    stream: str
    path: str
    wants: Wanted
    partition_rows: int = PARTITION_ROWS
    bounded: bool = True
    _left: "RowReader | None" = field(default=None, repr=False)

    def partitions(self) -> list[str]:
        """Name the partitions.

        Raises:
            SourceError: It is no Parquet file, or a broken one.
        """
        with readable(self.path), pq.ParquetFile(self.path) as file:
            rows = file.metadata.num_rows
        count = max(1, -(-rows // self.partition_rows))
        return [f"{self.path}#{k}" if k else self.path for k in range(count)]

    def open(self, partition: str, after: int | None) -> "ParquetPartition":
        """Return a partition, to be read from behind an offset."""
        number = int(partition[len(self.path) + 1 :] or 0)
        begin = number * self.partition_rows
        start = begin if after is None else max(begin, after + 1)
        reader, self._left = self._left, None
        if reader is None or reader.row != start:
            if reader is not None:
                reader.close()
            reader = RowReader(self.path, self.wants, start)
        return ParquetPartition(self, partition, reader, begin + self.partition_rows)

    def leave(self, reader: "RowReader") -> None:
        """Keep a reader for the partition behind."""
        self._left = reader


@dataclass
class ParquetPartition:
    """Neighbouring rows of a Parquet file, block by block."""

    file: ParquetFile
    name: str
    reader: "RowReader"
    until: int

    def next_block(self, wait_ms: int) -> Block:  # noqa: ARG002 - a file is there, or it is not
        """Return the next rows; behind the last ones, a block that says so."""
        start = self.reader.row
        batch = self.reader.take(min(BLOCK_ROWS, self.until - start))
        stream, end = self.file.stream, self.reader.row - 1
        if batch is None:
            return Block(stream, self.name, None, end, now_us(), finished=True)
        return Block(stream, self.name, Rows(batch, start), end, now_us())

    def close(self) -> None:
        """Close the file, or leave it to the next partition."""
        if self.reader.row == self.until:
            self.file.leave(self.reader)
        else:
            self.reader.close()


class RowReader:
    """Reads the rows of a Parquet file in order.

    Memory: the compressed columns of one row group, and one batch of rows.

    Args:
        path: The file.
        wants: Tells which columns to read.
        row: Where to start; costs decoding the row group up to there.

    Raises:
        SourceError: It cannot be opened, or it has fewer rows.
    """

    def __init__(self, path: str, wants: Wanted, row: int) -> None:
        self.row = row
        self._path = path
        with readable(path):
            self._file = pq.ParquetFile(path)
        if row > self._file.metadata.num_rows:
            self.close()
            raise SourceError(replaced(path, f"row {row - 1}"))
        self._rest: pa.RecordBatch | None = None
        self._batches = self._from(row, wants)

    def take(self, most: int) -> pa.RecordBatch | None:
        """Return the next rows, at most so many; None at the end.

        Raises:
            SourceError: The file is broken here.
        """
        if most <= 0:
            return None
        batch, self._rest = self._rest, None
        with readable(self._path, f"row {self.row}"):
            batch = batch or next(self._batches, None)
        if batch is None:
            return None
        if batch.num_rows > most:
            self._rest = batch.slice(most)
            batch = batch.slice(0, most)
        self.row += batch.num_rows
        return batch

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def _from(self, row: int, wants: Wanted) -> Iterator[pa.RecordBatch]:
        groups, skip = self._groups_from(row)
        names = self._file.schema_arrow.names
        columns = [name for name in names if wants(name)] or None
        for batch in self._file.iter_batches(BLOCK_ROWS, row_groups=groups, columns=columns):
            if skip < batch.num_rows:
                yield batch.slice(skip)
            skip = max(0, skip - batch.num_rows)

    def _groups_from(self, row: int) -> tuple[list[int], int]:
        """Return the row groups from the one that holds a row on, and how many rows to skip."""
        count, skip = self._file.metadata.num_row_groups, row
        for group in range(count):
            rows = self._file.metadata.row_group(group).num_rows
            if skip < rows:
                return list(range(group, count)), skip
            skip -= rows
        return [], 0
