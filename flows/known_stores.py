"""Known stores: which store a source partition was committed to.

Rows and positions live in one store and are lost together. A source that has been read on since
would go on in an empty store as if nothing had been before; so that is refused. What a flow
remembers stands in a folder of its own, one small file per source partition and URL.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from pathlib import Path

from featurestore.errors import StoreRefused, without_password


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

        Args:
            store: The id of the store.
            sources: Partitions by stream.

        Raises:
            StoreRefused: One was.
        """
        for source in _pairs(sources):
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

        Cost: nothing when it is known.
        """
        if self._ids.get(source) == store:
            return
        self._ids[source] = store
        path = self._path(source)
        if path is not None:
            path.parent.mkdir(parents=True, exist_ok=True)
            new = path.with_suffix(".new")
            new.write_text(f"{store}\n{'/'.join(source)}\n{without_password(self.url)}\n")
            new.replace(path)

    def forget(self, sources: Mapping[str, Sequence[str]]) -> None:
        """Take whatever store is there for the right one."""
        for source in _pairs(sources):
            self._ids.pop(source, None)
            path = self._path(source)
            if path is not None:
                path.unlink(missing_ok=True)

    def _read(self, source: tuple[str, str]) -> str:
        path = self._path(source)
        if path is None or not path.exists():
            return ""
        return path.read_text().partition("\n")[0]

    def _path(self, source: tuple[str, str]) -> Path | None:
        if self.folder is None or source[0] not in self.streams:
            return None
        name = blake2b(repr((self.url, source)).encode(), digest_size=12).hexdigest()
        return self.folder / "stores" / name


def _pairs(sources: Mapping[str, Sequence[str]]) -> list[tuple[str, str]]:
    return [
        (stream, partition) for stream, partitions in sources.items() for partition in partitions
    ]
