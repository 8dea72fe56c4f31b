"""Dead letters: the rejected events of a stream, as the store keeps them."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from featurestore.contracts.rejection import Reason
from featurestore.storage.faults import mapped
from featurestore.storage.keys import counts_key, dead_key
from featurestore.storage.plain_client import plain_client

_PAGE = 1000
_FATES = frozenset({"trimmed", "replayed", "purged", "forgotten"})


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """One rejected event; `contracts.rejection.Rejection` has the meaning of its fields.

    Attributes:
        id: Its name in the stream's dead letters.
        partition: The source partition it was read from first.
        offset: Where it stood there.
        at_us: When it was rejected.
        step: Where in the flow: ``decode`` or ``judge``.
        replay: The replay that rejected it again, empty if none did.
    """

    id: str
    stream: str
    partition: str
    offset: int
    reason: str
    detail: str
    raw: bytes
    at_us: int
    step: str
    replay: str


class DeadLetters:
    """Reads dead letters, and throws them away.

    Args:
        url: The store.
    """

    def __init__(self, url: str) -> None:
        self._url = url
        self._redis: Any = plain_client(url)

    def counts(self, stream: str) -> dict[str, int]:
        """Return how many events of a stream were rejected, by reason, since its beginning.

        And what became of them: ``replayed``, ``purged``, ``forgotten``, or ``trimmed`` because
        there were too many.
        """
        with mapped(self._url):
            counts = self._redis.hgetall(counts_key(stream))
        names = {reason.encode() for reason in Reason} | {fate.encode() for fate in _FATES}
        return {name.decode(): int(count) for name, count in counts.items() if name in names}

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

    def pages(self, stream: str) -> Iterator[list[DeadLetter]]:
        """Yield all that are there now, oldest first, some hundred at a time."""
        with mapped(self._url):
            newest = self._redis.xrevrange(dead_key(stream), count=1)
        start, end = "-", newest[0][0].decode() if newest else "-"
        while True:
            with mapped(self._url):
                page = self._redis.xrange(dead_key(stream), start, end, _PAGE)
            if not page:
                return
            yield [_letter(stream, name, fields) for name, fields in page]
            start = f"({page[-1][0].decode()}"

    def purge(self, stream: str, ids: Sequence[str], fate: str = "purged") -> int:
        """Throw dead letters away for good; return how many there were."""
        if not ids:
            return 0
        with mapped(self._url), self._redis.pipeline() as both:
            both.xdel(dead_key(stream), *ids)
            gone: int = both.execute()[0]
            self._redis.hincrby(counts_key(stream), fate, gone)
        return gone

    def close(self) -> None:
        """Close the connection."""
        self._redis.close()


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
        step=fields.get(b"step", b"").decode(),
        replay=fields.get(b"replay", b"").decode(),
    )
