"""Wires: the blocking connections to a store, each to the server that holds the keys it is for."""

from collections.abc import Iterator, Sequence

from featurestore.errors import StoreError, StoreUnreachable
from featurestore.storage.topology import Topology, cluster_map, is_cluster
from featurestore.storage.wire import Wire


class Wires:
    """Connections to a store: to a single server, or to the nodes of a cluster.

    The topology is asked for once. After an error make new ones, which ask again.

    Args:
        url: Any of its servers.
        known: What was known of it before: other servers to ask when that one is gone.

    Raises:
        StoreUnreachable: There is no connection to any.
        StoreRefused: The server wants a password, or is not ready.

    Cost: a connection and a round trip; two where it is a cluster.
    """

    def __init__(self, url: str, known: Topology | None = None) -> None:
        others = [other for other in (known.urls if known else ()) if other != url]
        first = _first_of([url, *others])
        self._shared, self._apart = {first.url: first}, list[Wire]()
        try:
            self.topology = _topology(first)
        except StoreError:
            self.close()
            raise

    def of(self, key: bytes) -> Wire:
        """Return the wire to the server that holds a key; all who ask share it."""
        return self._to(self.topology.url_of(key))

    def apart(self, key: bytes) -> Wire:
        """Return a wire of the caller's own to the server that holds a key."""
        self._apart.append(Wire(self.topology.url_of(key)))
        return self._apart[-1]

    def every(self) -> list[Wire]:
        """Return a shared wire to every server that holds keys."""
        return [self._to(url) for url in self.topology.urls]

    def split(self, keys: Sequence[bytes]) -> Iterator[tuple[Wire, Sequence[int]]]:
        """Yield each server that holds some of these keys, with their places."""
        for url, places in self.topology.split(keys).items():
            yield self._to(url), places

    def reads(self, keys: Sequence[bytes], most: int) -> Iterator[tuple[Wire, list[list[int]]]]:
        """Yield how keys are read together, as `Topology.reads`."""
        for url, places in self.topology.reads(keys, most).items():
            yield self._to(url), places

    def close(self) -> None:
        """Close them all; what was sent and not read is lost to us, not to the store."""
        for wire in [*self._shared.values(), *self._apart]:
            wire.close()

    def _to(self, url: str) -> Wire:
        if url not in self._shared:
            self._shared[url] = Wire(url)
        return self._shared[url]


def _topology(wire: Wire) -> Topology:
    if not is_cluster(wire.ask(b"INFO", b"cluster")):
        return Topology([wire.url])
    return cluster_map(wire.url, wire.ask(b"CLUSTER", b"SLOTS"))


def _first_of(urls: Sequence[str]) -> Wire:
    """Return a wire to the first server that answers."""
    try:
        return Wire(urls[0])
    except StoreUnreachable:
        for url in urls[1:]:
            try:
                return Wire(url)
            except StoreUnreachable:
                continue
        raise
