"""Faults: what the store refuses and redis-py raises, as our errors with cause and cure."""

from collections.abc import Iterator
from contextlib import contextmanager

import redis
from redis.exceptions import (
    ChildDeadlockedError,
    ClusterCrossSlotError,
    ClusterDownError,
    IncorrectPolicyType,
    MasterDownError,
    MovedError,
    NoPermissionError,
    RedisClusterException,
    TryAgainError,
)

from featurestore.errors import StoreBusy, StoreError, StoreRefused, StoreUnreachable

# First word of an error reply -> what to do. These pass by themselves, or once someone helps.
_PASSING = {
    "LOADING": "it is reading its data from the disk",
    "BUSY": "a script keeps it busy",
    "TRYAGAIN": "it is moving keys",
    "CLUSTERDOWN": "its cluster has lost too many nodes",
    "MASTERDOWN": "it is a replica that has lost its primary",
    "NOREPLICAS": "it needs a replica that keeps up; start one, or run with less --durability",
    "READONLY": "it is a replica; give --redis the URL of the primary",
    "OOM": "it is out of memory; raise its maxmemory, or shorten the windows",
    "MISCONF": "it cannot write to its disk; free some space there",
    "UNBLOCKED": "it changed its role",
    "MOVED": "the key is at another node of its cluster; it is looked for again",
    "ASK": "the key is moving to another node of its cluster",
}
_LASTING = {
    "NOAUTH": "put the right password into the URL, as in redis://:password@host:6379",
    "NOPERM": "its user may not do that; give it the rights to read and write all keys of 'fs:'",
    "CROSSSLOT": "it is a cluster that hides behind a single server; name one of its nodes",
    "WRONGTYPE": "another program uses a key that starts with '{fs:'; give it another store",
}


def refusal(reply: str) -> StoreRefused:
    """Return an error reply as an error: `StoreBusy` where asking again later may help.

    >>> raise refusal("OOM command not allowed when used memory > 'maxmemory'.")
    Traceback (most recent call last):
      ...
    featurestore.errors.StoreBusy: the store refused: OOM command not allowed when used memory > \
'maxmemory'.: it is out of memory; raise its maxmemory, or shorten the windows
    """
    code = reply.partition(" ")[0].removeprefix("-")
    if "max number of clients" in reply:
        return StoreBusy(f"the store refused: {reply}: raise its maxclients")
    if code in _PASSING:
        return StoreBusy(f"the store refused: {reply}: {_PASSING[code]}")
    cure = f": {_LASTING[code]}" if code in _LASTING else ""
    return StoreRefused(f"the store refused: {reply}{cure}")


@contextmanager
def mapped(url: str) -> Iterator[None]:
    """Let redis-py's errors leave as `StoreUnreachable` or `StoreRefused`.

    >>> with mapped("redis://nowhere:1"):
    ...     raise redis.ConnectionError("refused")
    Traceback (most recent call last):
      ...
    featurestore.errors.StoreUnreachable: cannot reach the store at redis://nowhere:1: refused
    """
    try:
        yield
    except (redis.RedisError, *_STRAYS) as error:
        raise _ours(url, error) from error


# redis-py does not derive these from its `RedisError`.
_STRAYS = (ChildDeadlockedError, IncorrectPolicyType, RedisClusterException)

# redis-py takes the code off an error and makes a class of it; a subclass before its base.
_CODES: dict[type[redis.RedisError], str] = {
    redis.BusyLoadingError: "LOADING",
    redis.AuthenticationError: "NOAUTH",
    redis.ReadOnlyError: "READONLY",
    redis.OutOfMemoryError: "OOM",
    NoPermissionError: "NOPERM",
    MasterDownError: "MASTERDOWN",
    ClusterDownError: "CLUSTERDOWN",
    TryAgainError: "TRYAGAIN",
    MovedError: "MOVED",
    ClusterCrossSlotError: "CROSSSLOT",
}


def _ours(url: str, error: Exception) -> StoreError:
    code = next((code for kind, code in _CODES.items() if isinstance(error, kind)), None)
    if code is not None:
        return refusal(f"{code} {error}")
    if isinstance(error, redis.ConnectionError | redis.TimeoutError) or type(error) is (
        RedisClusterException  # no node of the cluster answers
    ):
        return StoreUnreachable(url, error)
    return refusal(str(error))
