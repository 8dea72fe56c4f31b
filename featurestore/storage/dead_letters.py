"""Dead letters: the rejected events of a stream, as the store keeps them."""

from dataclasses import dataclass
from typing import Any

import redis

from featurestore.contracts.rejection import Reason
from featurestore.storage.faults import mapped
from featurestore.storage.keys import counts_key, dead_key

_PAGE = 1000


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """One rejected event; `contracts.rejection.Rejection` has the meaning of its fields.

    Attributes:
        id: Its name in the stream's dead letters.
        at_us: When it was rejected.
    """

    id: str
    stream: str
    partition: str
    offset: int
    reason: str
    detail: str
    raw: bytes
    at_us: int


class DeadLetters:
    """Reads dead letters.

    Args:
        url: The store.
    """

    def __init__(self, url: str) -> None:
        self._url = url
        self._redis: Any = redis.Redis.from_url(url)

    def counts(self, stream: str) -> dict[str, int]:
        """Return how many events of a stream were rejected, by reason, since its beginning."""
        with mapped(self._url):
            counts = self._redis.hgetall(counts_key(stream))
        reasons = {reason.encode() for reason in Reason}
        return {name.decode(): int(count) for name, count in counts.items() if name in reasons}

    def newest(self, stream: str, limit: int, reason: str | None = None) -> list[DeadLetter]:
        """Return the newest dead letters of a stream, newest first.

        Cost: one round trip per 1,000 letters looked at.
        """
        found: list[DeadLetter] = []
        end = "+"
        while len(found) < limit:
            with mapped(self._url):
                page = self._redis.xrevrange(dead_key(stream), end, "-", _PAGE)
            letters = [_letter(stream, name, fields) for name, fields in page]
            found += [letter for letter in letters if reason in (None, letter.reason)]
            if len(page) < _PAGE:
                break
            end = f"({page[-1][0].decode()}"
        return found[:limit]

    def one(self, stream: str, letter_id: str) -> DeadLetter | None:
        """Return one dead letter by its id, None where there is none."""
        with mapped(self._url):
            page = self._redis.xrange(dead_key(stream), letter_id, letter_id)
        return _letter(stream, *page[0]) if page else None


def _letter(stream: str, name: bytes, fields: dict[bytes, bytes]) -> DeadLetter:
    return DeadLetter(
        id=name.decode(),
        stream=stream,
        partition=fields[b"partition"].decode(),
        offset=int(fields[b"offset"]),
        reason=fields[b"reason"].decode(),
        detail=fields[b"detail"].decode(),
        raw=fields[b"raw"],
        at_us=int(fields[b"at"]),
    )
