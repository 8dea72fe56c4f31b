"""Replays: dead letters on their way back into the flow.

1. A replay takes letters: one script moves them, perhaps mended, from the dead letters of a stream
   into a Redis Stream of the replay's own. Two replays cannot take the same letter.
2. That Redis Stream is read like any source, as the partition ``dead-letters/<n>`` of the stream:
   each unit of commit holds its position, so a replay that is killed goes on where it was.
3. What is rejected again becomes a dead letter again, under the place it first stood at.
4. Where taken letters first stood is kept, with the views they count in: the event itself may yet
   be read again (`flows.past`).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from featurestore.storage.faults import mapped
from featurestore.storage.keys import counts_key, dead_key, replay_key, replayed_key, replays_key
from featurestore.storage.plain_client import plain_client

_KEPT = 100_000
_NEXT = b"next"
_TAKE = """
local taken = 0
for i = 4, #ARGV, 2 do
  local found = redis.call('XRANGE', KEYS[1], ARGV[i], ARGV[i])
  if #found == 1 then
    local words, place = found[1][2], {}
    for j = 1, #words, 2 do
      if words[j] == 'raw' then words[j + 1] = ARGV[i + 1] end
      place[words[j]] = words[j + 1]
    end
    redis.call('XDEL', KEYS[1], ARGV[i])
    redis.call('XADD', KEYS[2], '1-' .. (redis.call('XLEN', KEYS[2]) + 1), unpack(words))
    redis.call('XADD', KEYS[3], 'MAXLEN', '~', ARGV[3], '*',
      'partition', place.partition, 'offset', place.offset, 'views', ARGV[2])
    taken = taken + 1
  end
end
if taken > 0 then
  redis.call('HSET', KEYS[4], ARGV[1], ARGV[2])
  redis.call('HINCRBY', KEYS[5], 'replayed', taken)
end
return taken
"""


@dataclass(frozen=True, slots=True)
class Taken:
    """A letter in a replay.

    Attributes:
        number: Where it stands in the replay, from 1.
        partition: The source partition it was read from first.
        offset: Where it stood there.
        raw: The event, as it is to be read.
    """

    number: int
    partition: str
    offset: int
    raw: bytes


class Replays:
    """Takes dead letters of one stream into replays.

    Args:
        url: The store.
        stream: The stream's name.
    """

    def __init__(self, url: str, stream: str) -> None:
        self._url, self._stream = url, stream
        self._redis: Any = plain_client(url)

    def unfinished(self) -> Mapping[int, list[str]]:
        """Return the replays that were not finished, with the views they count in."""
        with mapped(self._url):
            found = self._redis.hgetall(replays_key(self._stream))
        return {int(n): views.decode().split() for n, views in found.items() if n != _NEXT}

    def begin(self) -> int:
        """Return the number of a new replay; no number is used twice."""
        with mapped(self._url):
            return int(self._redis.hincrby(replays_key(self._stream), _NEXT, 1))

    def take(self, number: int, letters: Mapping[str, bytes], views: Sequence[str]) -> int:
        """Take letters, by id, into a replay; return how many were still there.

        Args:
            number: The replay.
            letters: The events as they are to be read.
            views: The versions of views that they will count in.
        """
        stream = self._stream
        keys = [dead_key(stream), replay_key(stream, number), replayed_key(stream)]
        keys += [replays_key(stream), counts_key(stream)]
        words: list[str | bytes | int] = [number, " ".join(views), _KEPT]
        for name, raw in letters.items():
            words += [name, raw]
        with mapped(self._url):
            return int(self._redis.eval(_TAKE, len(keys), *keys, *words))

    def letters(self, number: int, after: int, limit: int) -> list[Taken]:
        """Return letters of a replay, in order, behind the one with the number `after`."""
        with mapped(self._url):
            page = self._redis.xrange(
                replay_key(self._stream, number), f"1-{after + 1}", "+", limit
            )
        return [
            Taken(
                int(name.partition(b"-")[2]),
                fields[b"partition"].decode(),
                int(fields[b"offset"]),
                fields[b"raw"],
            )
            for name, fields in page
        ]

    def end(self, number: int) -> None:
        """Let go of a replay whose letters are all committed."""
        with mapped(self._url), self._redis.pipeline(transaction=True) as both:
            both.delete(replay_key(self._stream, number))
            both.hdel(replays_key(self._stream), number)
            both.execute()

    def close(self) -> None:
        """Close the connection."""
        self._redis.close()
