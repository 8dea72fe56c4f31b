"""The identity of a store: an id made up at first use, gone when the store is emptied."""

from contextlib import suppress
from uuid import uuid4

from featurestore.errors import StoreRefused
from featurestore.storage.keys import STORE_KEY
from featurestore.storage.wire import Wire

_PATIENCE_MS = b"1500"


def store_id(wire: Wire) -> str:
    """Return the id of a store; a store that has none gets one.

    A new one is waited for until it is on the disk, where the store keeps a log: else a store that
    restarts at once would come back as a stranger.

    Cost: two round trips.
    """
    if wire.ask(b"SET", STORE_KEY, uuid4().hex.encode(), b"NX") is not None:
        with suppress(StoreRefused):  # it keeps no log, or is too old to say: nothing to wait for
            wire.ask(b"WAITAOF", b"1", b"0", _PATIENCE_MS)
    found = wire.ask(b"GET", STORE_KEY)
    assert isinstance(found, bytes), found
    return found.decode()
