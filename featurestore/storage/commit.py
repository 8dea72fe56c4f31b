"""Commit: what a flush of events changes in one unit, with the position in the source, atomically.

1. A unit of commit is a shard of a view or the ledger of a stream; all its keys share a slot.
2. One MULTI changes rows *and* sets ``progress[partition] = last offset``: both, or neither.
3. Each unit has its own connection and its own fence: at the start a flow raises the generation of
   its partitions there, then WATCHes the fence. A commit of a flow whose partition was taken over
   since fails as a whole. The fence is armed again right behind each EXEC, in the same round trip.
4. A flush is sent before the replies to the one before it are read, but a unit's next transaction
   is sent only after its last one has succeeded. If it failed because *another* partition changed
   hands, it is sent again; if ours did, `Fenced` is raised.
5. An error reply to any command (out of memory, read-only, moved, no permission) aborts the whole
   transaction and raises `StoreRefused`: no position moves, the events are replayed from the
   source. The one error that comes only after EXEC is a foreign value of another type under one
   of our keys: it is raised too, but that row's events are not in it.

What must change together stands here and in `storage.keys`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from hiredis import ReplyError

from featurestore.errors import Fenced, StoreRefused
from featurestore.storage.keys import fence_key, progress_key
from featurestore.storage.wire import Reply, Wire, pack

_MULTI, _EXEC = pack(b"MULTI"), pack(b"EXEC")
_SURVIVAL_TIMEOUT_MS = b"20000"


class Durability(StrEnum):
    """What a commit must survive before the source's watermark moves past it."""

    NONE = "none"  # the store's process
    FSYNC = "fsync"  # the store's machine: WAITAOF
    REPLICATED = "replicated"  # the loss of the machine: WAIT for one replica


_SURVIVAL = {
    Durability.FSYNC: pack(b"WAITAOF", b"1", b"0", _SURVIVAL_TIMEOUT_MS),
    Durability.REPLICATED: pack(b"WAIT", b"1", _SURVIVAL_TIMEOUT_MS),
}


@dataclass
class Unit:
    """One unit of commit, held by one flow.

    Attributes:
        wire: Its connection.
        tag: Its hash tag.
        durability: What a commit must survive.
        progress: Up to which offset it held each partition when this flow took over, by source
            field; events up to there are in it already.
    """

    wire: Wire
    tag: bytes
    durability: Durability
    progress: dict[bytes, int] = field(default_factory=dict)
    _generations: dict[bytes, bytes] = field(default_factory=dict)
    _sent: list[bytes] = field(default_factory=list)
    _count: int = 0

    def take_over(self, sources: Sequence[bytes]) -> None:
        """Make this flow the one that writes these partitions; whoever did before is fenced off.

        Cost: one round trip.
        """
        fence = fence_key(self.tag)
        self._generations |= dict.fromkeys(sources, b"")
        raised = [pack(b"HINCRBY", fence, source, b"1") for source in sources]
        self.wire.send([*raised, pack(b"HMGET", progress_key(self.tag), *sources), *self._arming()])
        for source in sources:
            self._generations[source] = b"%d" % _whole(self.wire.read())
        for source, offset in zip(sources, _array(self.wire.read()), strict=True):
            if offset is not None:
                self.progress[source] = int(offset)
        self._rearm()

    def send(self, changes: Sequence[bytes], progress: Mapping[bytes, int]) -> None:
        """Send one transaction; `settle` must have been called for the one before.

        Args:
            changes: Packed commands on keys of this unit.
            progress: The last offset they cover, by source field.
        """
        assert not self._count, "settle the transaction before"
        moved = [word for field, offset in progress.items() for word in (field, b"%d" % offset)]
        position = pack(b"HSET", progress_key(self.tag), *moved)
        self._sent = [_MULTI, *changes, position, _EXEC, *self._survival(), *self._arming()]
        self._count = len(changes)
        self.wire.send(self._sent)

    def settle(self) -> list[Reply]:
        """Wait until the transaction sent is done; return the replies to its changes.

        Raises:
            Fenced: Another flow took over one of our partitions.
            StoreRefused: The store answered with an error, or did not make it durable.
            StoreUnreachable: The connection broke: it may be done or not; a replay finds out.
        """
        if not self._count:
            return []
        while True:
            replies = self._replies()
            if replies is not None:
                self._count = 0
                return replies
            self.wire.send(self._sent)

    def _replies(self) -> list[Reply] | None:
        """Read one transaction's replies; None when the fence moved but not for us."""
        for _ in range(self._count + 2):  # MULTI, the changes, the position: OK or QUEUED
            self.wire.read()
        done = self.wire.read()
        if self._survival():
            survived = self.wire.read()
            self._check_survival(survived, done)
        self._rearm()
        if done is None:
            return None
        replies = _array(done)
        wrong = next((reply for reply in replies if isinstance(reply, ReplyError)), None)
        if wrong is not None:
            raise StoreRefused(str(wrong))
        return replies[:-1]

    def _arming(self) -> list[bytes]:
        fence = fence_key(self.tag)
        return [pack(b"WATCH", fence), pack(b"HMGET", fence, *self._generations)]

    def _rearm(self) -> None:
        self.wire.read()  # WATCH
        found = _array(self.wire.read())
        for (source, mine), now in zip(self._generations.items(), found, strict=True):
            if now is None:
                msg = "the store was emptied while this flow was writing to it"
                raise StoreRefused(msg)
            if now != mine:
                stream, _, partition = source.decode().partition("/")
                raise Fenced(stream, partition)

    def _survival(self) -> list[bytes]:
        command = _SURVIVAL.get(self.durability)
        return [command] if command else []

    def _check_survival(self, survived: Reply, done: Reply) -> None:
        count = survived[0] if isinstance(survived, list) else survived
        if done is not None and not count:
            msg = f"{self.durability}: a commit was not confirmed within 20 s"
            raise StoreRefused(msg)


def _array(reply: Reply) -> list[Reply]:
    assert isinstance(reply, list), reply
    return reply


def _whole(reply: Reply) -> int:
    assert isinstance(reply, int), reply
    return reply
