"""The plain client: redis-py's own, for what is done by hand and need not be fast."""

from typing import Any

import redis

from featurestore.storage.faults import mapped


def plain_client(url: str) -> Any:
    """Return redis-py's client for a store: a single server, or a cluster by any of its nodes.

    Raises:
        StoreUnreachable: It cannot be reached.
        StoreRefused: It wants a password, or is not ready.

    Cost: a connection and a round trip.
    """
    with mapped(url):
        one = redis.Redis.from_url(url)
        if not one.info("cluster").get("cluster_enabled"):
            return one
        one.close()
        return redis.RedisCluster.from_url(url)
