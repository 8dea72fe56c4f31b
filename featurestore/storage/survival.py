"""Survival: whether a store can make commits survive as configured; asked once, at the start."""

from collections.abc import Mapping

from featurestore.errors import StoreRefused
from featurestore.storage.commands import pack
from featurestore.storage.commit import Durability, Survival
from featurestore.storage.wire import Wire

TIMEOUT_MS = b"20000"


def survival(wire: Wire, durability: Durability) -> Survival:
    """Return how commits are confirmed to survive.

    Raises:
        StoreRefused: The store cannot, as it is configured; says how it must be.

    Cost: two round trips at most.
    """
    _check_keeps(wire)
    if durability is Durability.REPLICATED:
        return Survival(durability, pack(b"WAIT", b"1", TIMEOUT_MS))
    if durability is Durability.FSYNC:
        return _fsync(wire)
    return Survival(durability)


def _check_keeps(wire: Wire) -> None:
    """Refuse a store that drops keys when its memory is full: rows are no cache."""
    memory = _info(wire, b"memory")
    policy = memory.get("maxmemory_policy", "noeviction")
    if policy != "noeviction" and memory.get("maxmemory", "0") != "0":
        msg = (
            f"the store at {wire.shown} drops keys when its memory is full (maxmemory-policy "
            f"{policy}), and features with them; set maxmemory-policy to noeviction"
        )
        raise StoreRefused(msg)


def _fsync(wire: Wire) -> Survival:
    log = _info(wire, b"persistence").get("aof_enabled") == "1"
    waits = isinstance(found := wire.ask(b"COMMAND", b"INFO", b"WAITAOF"), list) and bool(found[0])
    if log and waits:
        return Survival(Durability.FSYNC, pack(b"WAITAOF", b"1", b"0", TIMEOUT_MS))
    if log and _always(wire):
        return Survival(Durability.FSYNC)
    needed = "appendonly yes" if waits else "appendonly yes and appendfsync always"
    msg = (
        f"--durability fsync: the store at {wire.shown} does not put commits on its disk; set "
        f"{needed} there, or run with --durability none"
    )
    raise StoreRefused(msg)


def _always(wire: Wire) -> bool:
    """Tell whether every reply waits for the disk; a server that hides it is taken not to."""
    try:
        found = wire.ask(b"CONFIG", b"GET", b"appendfsync")
    except StoreRefused:
        return False
    return isinstance(found, list) and found[1:2] == [b"always"]


def _info(wire: Wire, section: bytes) -> Mapping[str, str]:
    text = wire.ask(b"INFO", section)
    assert isinstance(text, bytes)
    lines = (line.partition(":") for line in text.decode(errors="replace").splitlines())
    return {name: value for name, separator, value in lines if separator}
