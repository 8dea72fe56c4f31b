"""Faults: redis-py's exceptions as ours."""

from collections.abc import Iterator
from contextlib import contextmanager

import redis

from featurestore.errors import StoreRefused, StoreUnreachable


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
    except (redis.ConnectionError, redis.TimeoutError) as error:
        raise StoreUnreachable(url, error) from error
    except redis.RedisError as error:
        raise StoreRefused(str(error)) from error
