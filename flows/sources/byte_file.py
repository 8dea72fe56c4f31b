"""A byte file: the bytes of a file, plain or compressed, from any place on."""

import gzip
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, cast

import pyarrow as pa

from featurestore.errors import SourceError
from flows.sources.lines import BLOCK

_FAULTS = (OSError, EOFError, zlib.error, pa.ArrowException)


@contextmanager
def readable(path: str, place: str = "") -> Iterator[None]:
    """Let what goes wrong with a file leave as `SourceError`.

    Args:
        path: The file.
        place: How far reading had come.

    >>> with readable("events.jsonl.gz", "byte 17"):
    ...     raise EOFError("it ended too soon")
    Traceback (most recent call last):
      ...
    featurestore.errors.SourceError: cannot read events.jsonl.gz at byte 17: it ended too soon
    """
    try:
        yield
    except _FAULTS as error:
        cause = (isinstance(error, OSError) and error.strerror) or str(error)
        at = f" at {place}" if place else ""
        msg = f"cannot read {path}{at}: {cause}"
        raise SourceError(msg) from error


class ByteFile:
    """The bytes of a file; of a compressed one, its text.

    Args:
        path: The file; one that ends in ``.gz`` is decompressed.
        at: Where to start; there must be a byte there. Costs decompression up to it.

    Raises:
        SourceError: It cannot be opened, or it ends before.
    """

    def __init__(self, path: str, at: int = 0) -> None:
        self._path, self._at = path, at
        self._fault: Exception | None = None
        with readable(path):
            self._file = self._opened()
        try:
            self._first = self._seek(at) if at else b""
        except SourceError:
            self.close()
            raise

    def read(self) -> bytes:
        """Return about one block of bytes; none at the end.

        Raises:
            SourceError: It is broken here; all before it has been returned.
        """
        data, self._first = self._first, b""
        with readable(self._path, f"byte {self._at}"):
            if not data and self._fault is not None:
                raise self._fault
            data = data or self._gathered()
        self._at += len(data)
        return data

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def _seek(self, at: int) -> bytes:
        """Go to a place; return the first bytes from there on, for there must be some."""
        with readable(self._path, f"byte {at}"):
            self._file.seek(at)
            first = self._gathered()
        if not first:
            raise SourceError(replaced(self._path, f"byte {at}"))
        return first

    def _opened(self) -> BinaryIO:
        if is_compressed(self._path):
            return cast("BinaryIO", gzip.open(self._path))
        return Path(self._path).open("rb", buffering=0)

    def _gathered(self) -> bytes:
        """Read a block piece by piece, so that a fault costs nothing that came before it."""
        pieces: list[bytes] = []
        size = 0
        while size < BLOCK:
            try:
                piece = self._piece(BLOCK - size)
            except _FAULTS as error:
                if not pieces:
                    raise
                self._fault = error
                break
            if not piece:
                break
            pieces.append(piece)
            size += len(piece)
        return b"".join(pieces)

    def _piece(self, size: int) -> bytes:
        if isinstance(self._file, gzip.GzipFile):
            return self._file.read1(size)
        return self._file.read(size)


def is_compressed(path: str) -> bool:
    """Tell by its name whether a file is compressed."""
    return path.lower().endswith(".gz")


def replaced(path: str, place: str) -> str:
    """Say that a file is shorter than it was."""
    return (
        f"{path} ends before {place}, up to which it was read already: a file that was read may "
        "grow, but not shrink or be replaced; give other events another file name"
    )
