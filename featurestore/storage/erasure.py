"""Erasure: removing all that the store holds of one entity."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from featurestore.aggregation.entity_keys import encode_key
from featurestore.definitions.catalog import Catalog
from featurestore.definitions.entity import Entity
from featurestore.definitions.view import FeatureView
from featurestore.storage.dead_letters import DeadLetters
from featurestore.storage.faults import mapped
from featurestore.storage.keys import NAMESPACE, row_key, view_tag
from featurestore.storage.letter_owners import LetterOwners
from featurestore.storage.plain_client import plain_client
from featurestore.storage.replays import Replays

_SCANNED = 5000
_GLOB = str.maketrans({c: f"\\{c}" for c in "\\*?[]"})


@dataclass(frozen=True, slots=True)
class Erased:
    """What was removed.

    Attributes:
        digest: The SHA-256 of the entity's key, which names it in the audit trail: so the trail
            proves that an entity was erased without saying which ones there were.
        rows: How many rows, of all views and all their versions.
        letters: How many dead letters.
        untold: How many dead letters were left because nobody can tell whom they are about.
    """

    digest: str
    rows: int
    letters: int
    untold: int


@dataclass(frozen=True)
class Erasure:
    """Removes entities.

    Gone are the rows of the entity in every view on it, of whatever version, and the dead letters
    that are about it, as far as `LetterOwners` can tell.
    Not touched are the sources, nor what a running flow has read already but not committed; events
    that come later count anew. The ids of its events, kept for duplicates, go with their time.
    """

    catalog: Catalog
    url: str

    def erase(self, entity: Entity, values: Mapping[str, object]) -> Erased:
        """Remove one entity.

        Args:
            entity: What it is.
            values: Its keys by name, as their columns hold them.

        Cost: one look at every key of the store, about 1 µs each, and at every dead letter.
        """
        views = self.catalog.views_about(entity)
        keys = [values[name] for name in entity.keys]
        key = encode_key(keys)
        store: Any = plain_client(self.url)
        letters = DeadLetters(self.url)
        try:
            with mapped(self.url):
                rows = {*self._known_rows(views, key), *_found_rows(store, views, key)}
                gone: int = store.unlink(*rows) if rows else 0
            dead = [self._erase_letters(letters, view, keys) for view in _by_stream(views)]
        finally:
            store.close()
            letters.close()
        erased, untold = (sum(counts) for counts in zip((0, 0), *dead, strict=True))
        return Erased(sha256(key).hexdigest(), gone, erased, untold)

    def replayed(self, entity: Entity) -> list[str]:
        """Return the streams with a replay not finished: what it took is not looked into."""
        names = sorted({view.stream.name for view in self.catalog.views_about(entity)})
        return [name for name in names if self._is_replayed(name)]

    def _is_replayed(self, stream: str) -> bool:
        with closing(Replays(self.url, stream)) as replays:
            return bool(replays.unfinished())

    def _known_rows(self, views: list[FeatureView], key: bytes) -> Iterator[bytes]:
        for view in views:
            yield row_key([view_tag(view, shard) for shard in range(view.shards)], key)

    def _erase_letters(
        self, letters: DeadLetters, view: FeatureView, keys: Sequence[object]
    ) -> tuple[int, int]:
        """Remove the dead letters of a stream; return how many, and of how many none can tell."""
        stream, values = view.stream, dict(zip(view.entity.keys, keys, strict=True))
        owners, gone, untold = LetterOwners(stream, view.entity.keys), 0, 0
        for page in letters.pages(stream.name):
            about = owners.about([letter.raw for letter in page], values)
            mine = [letter.id for letter, is_mine in zip(page, about, strict=True) if is_mine]
            gone += letters.purge(stream.name, mine, "forgotten")
            untold += about.count(None)
        return gone, untold


def _found_rows(store: Any, views: list[FeatureView], key: bytes) -> Iterator[bytes]:
    """Find the rows of versions that the definitions no longer know."""
    pattern = f"{{{NAMESPACE}:*}}:".encode() + key.decode().translate(_GLOB).encode()
    starts = tuple(f"{{{NAMESPACE}:{view.name}@".encode() for view in views)
    for found in store.scan_iter(pattern, _SCANNED):
        if found.startswith(starts) and found.partition(b"}:")[2] == key:
            yield found


def _by_stream(views: list[FeatureView]) -> list[FeatureView]:
    return list({(view.stream.name, *view.entity.keys): view for view in views}.values())
