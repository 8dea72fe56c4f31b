"""The audit trail: what was changed by hand, when, as the store keeps it."""

import time
from collections.abc import Mapping
from typing import Any

from featurestore.storage.faults import mapped
from featurestore.storage.keys import AUDIT_KEY
from featurestore.storage.plain_client import plain_client

KEPT = 100_000


class Audit:
    """Writes and reads the audit trail.

    Args:
        url: The store.
    """

    def __init__(self, url: str) -> None:
        self._url = url
        self._redis: Any = plain_client(url)

    def record(self, action: str, **facts: str | int) -> None:
        """Add a line."""
        line: dict[Any, Any] = {"at": time.time_ns() // 1000, "action": action, **facts}
        with mapped(self._url):
            self._redis.xadd(AUDIT_KEY, line, maxlen=KEPT, approximate=True)

    def newest(self, limit: int) -> list[Mapping[str, str]]:
        """Return the newest lines, newest first."""
        with mapped(self._url):
            found = self._redis.xrevrange(AUDIT_KEY, count=limit)
        return [{k.decode(): v.decode() for k, v in fields.items()} for _, fields in found]

    def close(self) -> None:
        """Close the connection."""
        self._redis.close()
