"""Erasure: removing all that the store holds of one entity."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from hashlib import sha256
from typing import Any

import orjson

from featurestore.aggregation.entity_keys import encode_key
from featurestore.definitions.catalog import Catalog
from featurestore.definitions.contract import Column
from featurestore.definitions.entity import Entity
from featurestore.definitions.view import FeatureView
from featurestore.storage.dead_letters import DeadLetter, DeadLetters
from featurestore.storage.faults import mapped
from featurestore.storage.keys import NAMESPACE, row_key, view_tag
from featurestore.storage.plain_client import plain_client

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
    """

    digest: str
    rows: int
    letters: int


@dataclass(frozen=True)
class Erasure:
    """Removes entities.

    Gone are the rows of the entity in every view on it, of whatever version, and the dead letters
    that are about it: those whose fields name it, and those that are no JSON but contain its key.
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
            dead = sum(self._erase_letters(letters, view, keys) for view in _by_stream(views))
        finally:
            store.close()
            letters.close()
        return Erased(sha256(key).hexdigest(), gone, dead)

    def _known_rows(self, views: list[FeatureView], key: bytes) -> Iterator[bytes]:
        for view in views:
            yield row_key([view_tag(view, shard) for shard in range(view.shards)], key)

    def _erase_letters(
        self, letters: DeadLetters, view: FeatureView, keys: Sequence[object]
    ) -> int:
        stream, values = view.stream, dict(zip(view.entity.keys, keys, strict=True))
        columns = [stream.columns[name] for name in view.entity.keys]
        return sum(
            letters.purge(
                stream.name, [x.id for x in page if _is_about(x, columns, values)], "forgotten"
            )
            for page in letters.pages(stream.name)
        )


def _found_rows(store: Any, views: list[FeatureView], key: bytes) -> Iterator[bytes]:
    """Find the rows of versions that the definitions no longer know."""
    pattern = f"{{{NAMESPACE}:*}}:".encode() + key.decode().translate(_GLOB).encode()
    starts = tuple(f"{{{NAMESPACE}:{view.name}@".encode() for view in views)
    for found in store.scan_iter(pattern, _SCANNED):
        if found.startswith(starts) and found.partition(b"}:")[2] == key:
            yield found


def _by_stream(views: list[FeatureView]) -> list[FeatureView]:
    return list({(view.stream.name, *view.entity.keys): view for view in views}.values())


def _is_about(letter: DeadLetter, columns: list[Column], values: Mapping[str, object]) -> bool:
    try:
        event = orjson.loads(letter.raw)
    except orjson.JSONDecodeError:
        return all(_text(values[column.name]).encode() in letter.raw for column in columns)
    return all(_text(_at(event, column)) == _text(values[column.name]) for column in columns)


def _at(event: object, column: Column) -> object:
    """Return a field of an event, None where it is not there."""
    path = column.path or (column.name,)
    return reduce(lambda at, name: at.get(name) if isinstance(at, dict) else None, path, event)


def _text(value: object) -> str:
    """Write a key alike, whether its JSON says 7 or "7"."""
    return encode_key([value]).decode()
