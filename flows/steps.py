"""The steps of the flow between a source and the store: plain functions, no engine, no I/O."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from featurestore.aggregation.arrays import Ints, from_arrow
from featurestore.contracts.block import Block, as_array, raw_events
from featurestore.contracts.decoder import Decoder
from featurestore.contracts.rejection import Reason, Rejection
from featurestore.definitions.contract import Kind
from featurestore.definitions.stream import Stream
from featurestore.instants import duration_text, instant_text
from flows.frontier import UNKNOWN, Frontier

Offsets = npt.NDArray[np.int64] | npt.NDArray[np.object_]


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


@dataclass(frozen=True, slots=True)
class Judge:
    """Tells which events are in time.

    Attributes:
        stream: The stream.
        horizon_us: How far back the longest window of any view on it reaches.
    """

    stream: Stream
    horizon_us: int

    def judge(self, times: Ints, frontier: Frontier, now_us: int) -> tuple[Ints, Ints, Frontier]:
        """Return which events are late, which are from the future, and the frontier after them.

        Late is at or before ``frontier - horizon``: out of every window (they are open there).
        Events from the future do not move the frontier.
        """
        future = times > now_us + self.stream.clock_skew_us
        timely = np.flatnonzero(~future)
        before, frontier = frontier.advance(times[timely])
        late = timely[times[timely] <= before - self.horizon_us]
        return late, np.flatnonzero(future), frontier


def decode(block: Block, decoder: Decoder, judge: Judge, frontier: Frontier) -> Chunk:
    """Turn a block into columns, and sort out what breaks the contract or is out of time.

    Args:
        block: A block with events.
        decoder: The stream's decoder.
        judge: The stream's judge.
        frontier: The partition's frontier before this block.
    """
    assert block.events is not None
    decoded = decoder.decode(block.events)
    stream = judge.stream
    offsets = as_array(decoded.offsets)
    times = from_arrow(decoded.events.column(stream.event_time), Kind.DATETIME).astype(np.int64)
    late, future, after = judge.judge(times, frontier, block.read_us)
    out_of_time = np.concatenate([late, future])
    rejected = [*decoded.rejected]
    if len(out_of_time):
        raw = raw_events(block.events, offsets[out_of_time].tolist())
        details = [
            *(_late(stream, int(times[i]), judge.horizon_us, after) for i in late),
            *(_future(stream, int(times[i]), block.read_us) for i in future),
        ]
        reasons = [Reason.LATE] * len(late) + [Reason.FUTURE] * len(future)
        at = offsets[out_of_time].tolist()
        rejected += map(Rejection, at, reasons, details, raw)
    kept = np.setdiff1d(np.arange(len(times)), out_of_time)
    events = decoded.events.take(pa.array(kept)) if len(out_of_time) else decoded.events
    return Chunk(
        stream=block.stream,
        partition=block.partition,
        events=events,
        offsets=offsets[kept],
        rejected=tuple(rejected),
        end=block.end,
        frontier=after,
        newest_us=int(times[kept].max()) if len(kept) else None,
        finished=block.finished,
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
