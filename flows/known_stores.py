"""Known stores: which store a source partition was committed to.

Rows and positions live in one store and are lost together. A source that has been read on since
would go on in an empty store as if nothing had been before; so that is refused. What a flow
remembers stands in a folder of its own, one small file per source partition and URL.
"""

import errno
import os
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from hashlib import blake2b
from pathlib import Path

from featurestore.errors import StoreError, StoreRefused, without_password


@dataclass
class KnownStores:
    """What a flow remembers of the store at one URL.

    Attributes:
        url: The store's URL. Another URL is another store, which is used on purpose.
        folder: Where it is remembered; None keeps it in memory, while the flow runs.
        streams: The streams for which it is; others have their source in the store itself.
    """

    url: str
    folder: Path | None = None
    streams: Collection[str] = ()
    _ids: dict[tuple[str, str], str] = field(default_factory=dict)

    def check(self, store: str, sources: Mapping[str, Sequence[str]]) -> None:
        """Make sure that sources were not committed to another store at this URL.

        And that it can be remembered once they are, while nothing is committed yet.

        Args:
            store: The id of the store.
            sources: Partitions by stream.

        Raises:
            StoreRefused: One was.
            StoreError: The folder cannot be read or written.
        """
        for source in _pairs(sources):
            self._make_room(source)
            known = self._ids.get(source) or self._read(source)
            if known not in ("", store):
                stream, partition = source
                msg = (
                    f"the store at {without_password(self.url)} is not the one that partition "
                    f"{partition!r} of stream {stream!r} was committed to: it was emptied or "
                    "exchanged, and the features with it. Bring the old one back, or run with "
                    "--rebuild to compute them anew from the beginning of the source"
                )
                raise StoreRefused(msg)

    def remember(self, store: str, source: tuple[str, str]) -> None:
        """Remember that a partition, (stream, partition), was committed to a store.

        Raises:
            StoreError: The folder cannot be written.

        Cost: nothing when it is known.
        """
        if self._ids.get(source) == store:
            return
        self._ids[source] = store
        path = self._path(source)
        if path is not None:
            self._make_room(source)
            with _kept_in(path.parent):
                new = path.with_suffix(".new")
                new.write_text(f"{store}\n{'/'.join(source)}\n{without_password(self.url)}\n")
                new.replace(path)

    def forget(self, sources: Mapping[str, Sequence[str]]) -> None:
        """Take whatever store is there for the right one."""
        for source in _pairs(sources):
            self._ids.pop(source, None)
            path = self._path(source)
            if path is not None:
                with _kept_in(path.parent):
                    path.unlink(missing_ok=True)

    def _make_room(self, source: tuple[str, str]) -> None:
        path = self._path(source)
        if path is not None:
            with _kept_in(path.parent):
                path.parent.mkdir(parents=True, exist_ok=True)
                if not os.access(path.parent, os.W_OK):
                    raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))

    def _read(self, source: tuple[str, str]) -> str:
        path = self._path(source)
        if path is None:
            return ""
        with _kept_in(path.parent):
            return path.read_text().partition("\n")[0] if path.exists() else ""

    def _path(self, source: tuple[str, str]) -> Path | None:
        if self.folder is None or source[0] not in self.streams:
            return None
        name = blake2b(repr((self.url, source)).encode(), digest_size=12).hexdigest()
        return self.folder / "stores" / name


@contextmanager
def _kept_in(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        msg = (
            f"cannot remember in {folder} which store was committed to: {error.strerror}; name a "
            "folder where you may write with --state"
        )
        raise StoreError(msg) from error


def _pairs(sources: Mapping[str, Sequence[str]]) -> list[tuple[str, str]]:
    return [
        (stream, partition) for stream, partitions in sources.items() for partition in partitions
    ]
