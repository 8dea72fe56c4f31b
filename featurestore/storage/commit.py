"""Commit: what a flush of events changes in one unit, with the position in the source, atomically.

1. A unit of commit is a shard of a view or the ledger of a stream; all its keys share a slot.
2. One MULTI changes rows *and* sets ``progress[partition] = last offset``: both, or neither.
   Progress never falls: a flush that covers less than the unit holds leaves it alone.
3. Each unit has its own connection and its own fence: at the start a flow writes its mark there
   for each of its partitions, then WATCHes the fence. A commit of a flow whose partition was taken
   over since fails as a whole. The fence is armed again right behind each EXEC, in the same round
   trip. A flow that lost its connection takes over again only what no other took meanwhile.
4. A flush is sent before the replies to the one before it are read, but a unit's next transaction
   is sent only after its last one has succeeded. If it failed because *another* partition changed
   hands, it is sent again; if ours did, `Fenced` is raised.
5. An error reply to any command (out of memory, read-only, moved, no permission) aborts the whole
   transaction and raises `StoreRefused`: no position moves, the events are replayed from the
   source. The one error that comes only after EXEC is a foreign value of another type under one
   of our keys, so those that a flow touches for the first time are looked at before the
   transaction is sent. Who replaces a row later that this flow has written to already has
   destroyed that row; it is raised, but the events of that row in that transaction are gone with
   all the others of it.
6. What a unit holds when a flow takes it over may not have survived yet as configured; the mark in
   the fence is written after it and waited for, so that all before it has survived too.

What must change together stands here and in `storage.keys`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any
from uuid import uuid4

from hiredis import ReplyError

from featurestore.aggregation.arrays import BytesArray
from featurestore.errors import Fenced, StoreRefused
from featurestore.storage.commands import Commands, pack, pack_keys
from featurestore.storage.faults import refusal
from featurestore.storage.keys import fence_key, progress_key
from featurestore.storage.wire import Reply, Wire

_MULTI, _EXEC = pack(b"MULTI"), pack(b"EXEC")
_LOOKED_AT = 50  # rows in a call; where one is there, all of them are asked for their type
_OK = b"+OK\r\n"
_QUEUED = b"+QUEUED\r\n"


class Durability(StrEnum):
    """What a commit must survive before the source's watermark moves past it."""

    NONE = "none"  # the store's process
    FSYNC = "fsync"  # the store's machine: its log is on the disk
    REPLICATED = "replicated"  # the loss of the machine: one replica has it


@dataclass(frozen=True, slots=True)
class Survival:
    """How a durability is confirmed; `storage.survival` finds out what a store can do.

    Attributes:
        durability: What a commit must survive.
        command: The command that waits for it; None where each reply says so already.
    """

    durability: Durability = Durability.NONE
    command: bytes | None = None

    @property
    def commands(self) -> list[bytes]:
        """What is sent behind each commit."""
        return [self.command] if self.command else []

    def check(self, reply: Reply) -> None:
        """Read what the command answered.

        Raises:
            StoreBusy: It was not confirmed in time.
        """
        if not (reply[0] if isinstance(reply, list) else reply):
            late = f"NOREPLICAS {self.durability}: a commit was not confirmed in time"
            raise refusal(late)


def new_owner() -> bytes:
    """Return a name for a flow that no other has."""
    return uuid4().hex[:12].encode()


@dataclass
class Unit:
    """One unit of commit, held by one flow.

    Attributes:
        wire: Its connection.
        tag: Its hash tag.
        survival: How what a commit must survive is confirmed.
        owner: The name of the flow, unlike that of any other.
        progress: Up to which offset it held each partition when this flow took over, by source
            field; events up to there are in it already.
        marks: What this flow wrote into the fence, by source field.
    """

    wire: Wire
    tag: bytes
    survival: Survival = Survival()
    owner: bytes = field(default_factory=new_owner)
    progress: dict[bytes, int] = field(default_factory=dict)
    marks: dict[bytes, bytes] = field(default_factory=dict)
    _sent: list[bytes | memoryview] = field(default_factory=list)
    _queued: int = 0
    _changes: int = 0
    _looked_at: BytesArray = ()
    _there: list[bytes] = field(default_factory=list)  # of those looked at, some more among them
    _typed: list[bytes] = field(default_factory=list)  # those whose type has been asked for
    _arming: bytes = b""  # watches the fence and asks for our marks

    def take_over(
        self, sources: Sequence[bytes], before: Mapping[bytes, bytes] | None = None
    ) -> None:
        """Make this flow the one that writes these partitions; whoever did before is fenced off.

        Args:
            sources: The partitions, by source field.
            before: The marks that this flow wrote before its connection broke.

        Raises:
            Fenced: Another flow took one over after this one had.

        Cost: two round trips.
        """
        generations = self._generations(sources, before or {})
        self.marks |= {s: b"%d:%b" % (generations[s] + 1, self.owner) for s in sources}
        fence = fence_key(self.tag)
        self._arming = pack(b"WATCH", fence) + pack(b"HMGET", fence, *self.marks)
        words = [word for source in sources for word in (source, self.marks[source])]
        raised = pack(b"HSET", fence, *words)
        held = pack(b"HMGET", progress_key(self.tag), *sources)
        self.wire.send([raised, *self.survival.commands, held, self._arming])
        self.wire.read()
        if self.survival.command:
            self.survival.check(self.wire.read())
        for source, offset in zip(sources, _array(self.wire.read()), strict=True):
            if offset is not None:
                self.progress[source] = int(offset)
        self._rearm()

    def look_at(self, rows: BytesArray) -> None:
        """Ask about rows that this flow has not written to before, or not for long.

        It may be called while a transaction is in flight; what is found out counts for the next.
        """
        if len(rows):
            self.wire.send(pack_keys(b"EXISTS", rows, _LOOKED_AT))
            self._looked_at = rows

    def look_closer(self) -> None:
        """Ask for the type of the rows that may be there; what they are is found out by `send`.

        Where there are several units, all should ask before the first of them sends: behind a
        transaction answers are late.
        """
        self._read_looked_at()
        there, self._there = self._there, []
        if there:
            self.wire.send(pack(b"TYPE", row) for row in there)
            self._typed += there

    def send(self, changes: Commands, progress: Mapping[bytes, int]) -> None:
        """Send one transaction; `settle` must have been called for the one before.

        Args:
            changes: Commands on keys of this unit.
            progress: The last offset they cover, by source field.

        Raises:
            StoreRefused: Another program has a value under one of the rows that were looked at.
        """
        assert not self._sent, "settle the transaction before"
        self._refuse_foreign()
        moved = [(s, end) for s, end in progress.items() if end > self.progress.get(s, -1)]
        words = [word for source, end in moved for word in (source, b"%d" % end)]
        position = [pack(b"HSET", progress_key(self.tag), *words)] if words else []
        self._queued, self._changes = changes.count + len(position), changes.count
        if not self._queued:
            return
        self._sent = [
            _MULTI,
            *changes.buffers,
            *position,
            _EXEC,
            *self.survival.commands,
            self._arming,
        ]
        self.wire.send(self._sent)

    def settle(self) -> list[Reply]:
        """Wait until the transaction sent is done; return the replies to its changes.

        Raises:
            Fenced: Another flow took over one of our partitions.
            StoreRefused: The store answered with an error, or did not make it durable.
            StoreUnreachable: The connection broke: it may be done or not; a replay finds out.
        """
        while self._sent:
            replies = self._replies()
            if replies is not None:
                self._sent = []
                return replies[: self._changes]
            self._read_looked_at()  # it was asked behind the transaction that failed
            self.wire.send(self._sent)
        return []

    def check(self) -> None:
        """Make sure that the partitions are still ours; nothing may be in flight.

        Raises:
            Fenced: One is not.
            StoreRefused: The store was emptied.
            StoreUnreachable: The connection broke.

        Cost: one round trip.
        """
        self._compare(self.wire.ask(b"HMGET", fence_key(self.tag), *self.marks))

    def _replies(self) -> list[Reply] | None:
        """Read one transaction's replies; None when the fence moved but not for us."""
        if not self.wire.expect(_OK + _QUEUED * self._queued):
            for _ in range(self._queued + 1):
                self.wire.read()
        done = self.wire.read()
        if self.survival.command:
            survived = self.wire.read()
            if done is not None:
                self.survival.check(survived)
        self._rearm()
        if done is None:
            return None
        replies = _array(done)
        if ReplyError in set(map(type, replies)):
            raise refusal(str(next(r for r in replies if isinstance(r, ReplyError))))
        return replies

    def _read_looked_at(self) -> None:
        """Read which of the rows that were looked at may be there; most are not."""
        for at in range(0, len(self._looked_at), _LOOKED_AT):
            if self.wire.read():
                self._there += self._looked_at[at : at + _LOOKED_AT].to_pylist()
        self._looked_at = ()

    def _refuse_foreign(self) -> None:
        """Refuse rows that were looked at and hold another type."""
        self.look_closer()
        rows, self._typed = self._typed, []
        kinds = [self.wire.read() for _ in rows]
        for row, kind in zip(rows, kinds, strict=True):
            if kind not in (b"string", b"none"):
                wrong = f"WRONGTYPE the key {row!r} holds no row"
                raise refusal(wrong)

    def _rearm(self) -> None:
        self.wire.read()  # WATCH
        self._compare(self.wire.read())

    def _compare(self, found: Reply) -> None:
        for (source, mine), now in zip(self.marks.items(), _array(found), strict=True):
            if now is None:
                msg = "the store was emptied while this flow was writing to it"
                raise StoreRefused(msg)
            if now != mine:
                raise _fenced(source)

    def _generations(
        self, sources: Sequence[bytes], before: Mapping[bytes, bytes]
    ) -> dict[bytes, int]:
        """Return the generation of each partition's fence, 0 where it has none.

        A store that lost its tail shows an older one than ours, which is no other flow's.
        """
        found = _array(self.wire.ask(b"HMGET", fence_key(self.tag), *sources))
        generations = {}
        for source, mark in zip(sources, found, strict=True):
            number, _, owner = (mark or b"0:").partition(b":")
            mine = before.get(source, b"")
            if mine and owner != self.owner and int(number) >= int(mine.partition(b":")[0]):
                raise _fenced(source)
            generations[source] = int(number)
        return generations


def _fenced(source: bytes) -> Fenced:
    stream, _, partition = source.decode().partition("/")
    return Fenced(stream, partition)


def _array(reply: Reply) -> list[Any]:
    assert isinstance(reply, list), reply
    return reply
