"""The steps of the flow between a source and the store: plain functions, no engine, no I/O."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from operator import attrgetter

import numpy as np
import pyarrow as pa

from featurestore.aggregation.arrays import NULL, Ints, from_arrow
from featurestore.contracts.block import Block, raw_events
from featurestore.contracts.decoder import Decoder
from featurestore.contracts.offsets import Offsets, as_array
from featurestore.contracts.rejection import Reason, Rejection
from featurestore.contracts.reversal import as_it_happened
from featurestore.definitions.contract import Kind
from featurestore.definitions.stream import Stream
from featurestore.instants import duration_text, instant_text
from flows.frontier import UNKNOWN, Frontier
from flows.past import Past

NO_OFFSETS: Offsets = np.array([], dtype=np.int64)
NO_PAST = Past()


@dataclass(frozen=True)
class Chunk:
    """A block decoded and judged: what of it is to be committed.

    Attributes:
        stream: The stream's name.
        partition: The source partition's name.
        events: The accepted events, columns as `Stream.columns` names them.
        offsets: Their offsets.
        rejected: The others, with reasons.
        end: The last offset covered.
        frontier: How far event time has come at `end`.
        newest_us: The newest event time accepted, None without any.
        finished: Nothing follows in this partition.
        read_us: By which clock it was judged.
        duplicates: The offsets of events that were seen before under the same id.
        filtered: The offsets of events that the stream does not want.
        places: In a replay of dead letters, where each offset first stood.
        behind: More events were there already when it was read.
    """

    stream: str
    partition: str
    events: pa.RecordBatch
    offsets: Offsets
    rejected: tuple[Rejection, ...]
    end: int
    frontier: Frontier
    newest_us: int | None
    finished: bool
    read_us: int
    duplicates: Offsets = field(default_factory=lambda: NO_OFFSETS)
    filtered: Offsets = field(default_factory=lambda: NO_OFFSETS)
    places: Mapping[int, tuple[str, int]] = field(default_factory=dict)
    behind: bool = False


@dataclass(frozen=True, slots=True)
class Judge:
    """Tells which events are in time.

    Attributes:
        stream: The stream.
        horizon_us: How far back the longest window of any view on it reaches.
    """

    stream: Stream
    horizon_us: int

    def judge(
        self, times: Ints, happened: Ints, frontier: Frontier, now_us: Ints
    ) -> tuple[Ints, Ints, Frontier]:
        """Return which events are late, which are from the future, and the frontier after them.

        Args:
            times: Their event times.
            happened: When they count: for an event that reverses another, the time of that one.
            frontier: The frontier before them.
            now_us: The clock that each is judged by.

        Late is at or before ``frontier - horizon``: out of every window (they are open there).
        Events from the future do not move the frontier.
        """
        future = np.maximum(times, happened) > now_us + self.stream.clock_skew_us
        timely = np.flatnonzero(~future)
        before, frontier = frontier.advance(times[timely])
        late = timely[happened[timely] <= before - self.horizon_us]
        return late, np.flatnonzero(future), frontier


def decode(
    block: Block, decoder: Decoder, judge: Judge, frontier: Frontier, past: Past = NO_PAST
) -> Chunk:
    """Turn a block into columns, and sort out what breaks the contract or is out of time.

    Args:
        block: A block with events.
        decoder: The stream's decoder.
        judge: The stream's judge.
        frontier: The partition's frontier before this block.
        past: What was decided about the partition before; what is a dead letter stays one.
    """
    assert block.events is not None
    decoded = decoder.decode(block.events)
    stream = judge.stream
    offsets, accepted = as_array(decoded.offsets), decoded.events
    dead = past.is_dead(offsets)
    if dead.any():
        offsets, accepted = offsets[~dead], accepted.filter(pa.array(~dead))
    times, events = _times(stream, accepted), as_it_happened(stream, accepted)
    happened = _times(stream, events)
    clock = past.clock(offsets, block.read_us)
    late, future, after = judge.judge(times, happened, frontier, clock)
    unplaced = np.flatnonzero(happened == NULL)
    late = np.setdiff1d(late, unplaced)
    out = np.concatenate([late, future, unplaced])
    rejected = [*decoded.rejected]
    if len(out):
        at = offsets[out].tolist()
        details = [
            *(_late(stream, int(happened[i]), judge.horizon_us, after) for i in late),
            *(_future(stream, int(max(times[i], happened[i])), block.read_us) for i in future),
            *(_unplaced(stream) for _ in unplaced),
        ]
        reasons = [Reason.LATE] * len(late) + [Reason.FUTURE] * len(future)
        reasons += [Reason.INVALID] * len(unplaced)
        raw = raw_events(block.events, at, stream.contract)
        rejected += map(Rejection, at, reasons, details, raw)
    kept = np.arange(len(times))
    if len(out):
        kept = np.delete(kept, out)
        events = events.take(kept)
    return Chunk(
        stream=block.stream,
        partition=block.partition,
        events=events,
        offsets=offsets[kept],
        rejected=tuple(sorted(rejected, key=attrgetter("offset"))),
        end=block.end,
        frontier=after,
        newest_us=int(happened[kept].max()) if len(kept) else None,
        finished=block.finished,
        read_us=block.read_us,
        filtered=as_array(decoded.filtered),
        behind=block.behind,
    )


def _times(stream: Stream, events: pa.RecordBatch) -> Ints:
    return from_arrow(events.column(stream.event_time), Kind.DATETIME).astype(np.int64)


def _unplaced(stream: Stream) -> str:
    return (
        f"{stream.reverses_time}: it is missing in an event that reverses another; it must say "
        "when that one happened"
    )


def _late(stream: Stream, at_us: int, horizon_us: int, frontier: Frontier) -> str:
    reached = instant_text(frontier.reached_us) if frontier.reached_us > UNKNOWN else "unknown"
    return (
        f"{stream.event_time}: {instant_text(at_us)} is older than every window: the stream has "
        f"reached {reached} and the longest window goes back {duration_text(horizon_us)}"
    )


def _future(stream: Stream, at_us: int, now_us: int) -> str:
    return (
        f"{stream.event_time}: {instant_text(at_us)} is ahead of the clock ({instant_text(now_us)})"
        f" by more than clock_skew={duration_text(stream.clock_skew_us)}"
    )
