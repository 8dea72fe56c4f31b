"""Ingest: events that producers send over HTTP, checked and appended to their stream."""

import asyncio
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from time import monotonic

import msgspec
import orjson

from api.answer import JSON, Answer
from api.metrics import Metrics
from api.problems import Malformed, Overloaded, TooLarge
from featurestore.contracts.block import Documents
from featurestore.contracts.decoder import Decoder
from featurestore.contracts.rejection import Rejection
from featurestore.definitions.catalog import Catalog
from featurestore.definitions.view import FeatureView
from featurestore.storage.events import Events

ROUTE = "/v1/streams/{stream}/events"
MOST_EVENTS = 10_000
BACKLOG_CHECK_SECONDS = 1.0

_FEW = 50  # so many are checked at once; more of them would hold up look-ups
_ONE = msgspec.json.Decoder(msgspec.Raw)
_ARRAY = msgspec.json.Decoder(list[msgspec.Raw])


@dataclass
class Ingest:
    """The door through which events come in.

    Args:
        catalog: The definitions.
        events: Where accepted events go.
        metrics: Where they are counted.
        most_waiting: How many events a stream may hold that the flow has not committed.
    """

    catalog: Catalog
    events: Events
    metrics: Metrics
    most_waiting: int
    _checker: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(1))
    _gates: dict[str, "_Gate"] = field(default_factory=dict)

    async def take(self, stream: str, body: bytes) -> Answer:
        """Take the events in a body; the answer is given once the store has them.

        Raises:
            UnknownName: There is no such stream.
            Malformed: The body is neither JSON nor JSON lines.
            TooLarge: It has more than `MOST_EVENTS` events.
            Overloaded: Too many events wait for the flow already.
            StoreError: The store did not take them.
        """
        gate = self._gate(stream)
        documents = split(body)
        await self._admit(stream, gate, len(documents))
        rejected = await self._checked(gate.decoder, documents)
        bad = {rejection.offset for rejection in rejected}
        accepted = [doc for place, doc in enumerate(documents) if place not in bad]
        if accepted:
            await self.events.append(stream, accepted)
        self.metrics.count("events_accepted", len(accepted))
        self.metrics.count("events_rejected", len(rejected))
        reasons = [
            {"index": r.offset, "reason": f"{r.reason.value}: {r.detail}"}
            for r in sorted(rejected, key=lambda r: r.offset)
        ]
        return Answer(202, JSON, orjson.dumps({"accepted": len(accepted), "rejected": reasons}))

    def close(self) -> None:
        """End the thread that checks large bodies."""
        self._checker.shutdown()

    def _gate(self, stream: str) -> "_Gate":
        known = self.catalog.stream(stream)
        if stream not in self._gates:
            self._gates[stream] = _Gate(Decoder(known), self.catalog.views_of(stream))
        return self._gates[stream]

    async def _checked(self, decoder: Decoder, documents: list[bytes]) -> Sequence[Rejection]:
        block = Documents(documents, range(len(documents)))
        if len(documents) <= _FEW:
            return list(decoder.decode(block).rejected)
        loop = asyncio.get_running_loop()
        decoded = await loop.run_in_executor(self._checker, decoder.decode, block)
        return list(decoded.rejected)

    async def _admit(self, stream: str, gate: "_Gate", count: int) -> None:
        """Refuse events while too many wait; how many is asked once a second, and counted on."""
        if monotonic() - gate.asked > BACKLOG_CHECK_SECONDS:
            gate.asked = monotonic()
            gate.waiting = await self.events.backlog(stream, gate.views)
        if gate.waiting + count > self.most_waiting:
            msg = (
                f"about {gate.waiting:,} events of stream {stream!r} wait to be applied, and "
                f"{self.most_waiting:,} may; is `featurestore run` running, and does it keep up?"
            )
            raise Overloaded(msg)
        gate.waiting += count


@dataclass
class _Gate:
    """What the door knows of one stream."""

    decoder: Decoder
    views: Sequence[FeatureView]
    asked: float = float("-inf")
    waiting: int = 0


def split(body: bytes) -> list[bytes]:
    r"""Return the documents in a body: an array's elements, JSON lines, or the one it is.

    Raises:
        Malformed: No part of it is JSON, or it is an array that is none.
        TooLarge: There are more than `MOST_EVENTS`.

    >>> split(b'[{"a": 1}, {"a": 2}]'), split(b'{"a": 1}\n{"a"\n'), split(b'{"a":\n 1}')
    ([b'{"a": 1}', b'{"a": 2}'], [b'{"a": 1}', b'{"a"'], [b'{"a":\n 1}'])
    """
    documents = _documents(body.strip())
    if len(documents) > MOST_EVENTS:
        msg = f"at most {MOST_EVENTS:,} events a call, got {len(documents):,}; send them in parts"
        raise TooLarge(msg)
    return documents


def _documents(body: bytes) -> list[bytes]:
    lines = [line.strip() for line in body.split(b"\n") if line.strip()]
    try:
        if body.startswith(b"["):
            return [bytes(raw) for raw in _ARRAY.decode(body)]
        _ONE.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        if any(_is_json(line) for line in _deciding(body, lines)):
            return lines
        msg = f"the body is neither a JSON object, nor an array of them, nor JSON lines: {error}"
        raise Malformed(msg) from error
    return [body]


def _deciding(body: bytes, lines: list[bytes]) -> list[bytes]:
    """Return the lines one of which must be JSON, for all of them to be JSON lines.

    Of an array over several lines that is broken in one of them, the others are no events.
    """
    return lines[:1] if body.startswith(b"[") else lines


def _is_json(line: bytes) -> bool:
    try:
        _ONE.decode(line)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return False
    return True
