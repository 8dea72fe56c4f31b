"""Running a flow: the composition root of the writing side."""

import time
from collections import Counter
from collections.abc import Collection, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from bytewax.run import cli_main

from featurestore.definitions.catalog import Catalog, load
from featurestore.errors import SourceError
from featurestore.storage.commit import Durability
from flows.changes import LETTERS_KEPT
from flows.dataflow import Feed, build
from flows.known_stores import KnownStores
from flows.memory import keep_freed
from flows.pace import BULK_EVENTS, BULK_MS, Pace
from flows.patience import Patience
from flows.sources.source import Source, say
from flows.sources.standard_input import let_go
from flows.sources.uri import SENT_OVER_HTTP, parse_source, settled
from flows.stages import stages
from flows.stop import Stop, stop_on_signal
from flows.summary import Summary
from flows.trimming import EVENTS_KEPT, Trimming
from flows.watermarks import Positions
from flows.writer import Writer

# Live events are flushed soon; what lies in files is gathered longer, so fewer rows are touched.
BULK_FLUSH_MS, BULK_FLUSH_EVENTS = BULK_MS, BULK_EVENTS


@dataclass(frozen=True)
class Job:
    """What to run; plain values, so that it can be handed to another process.

    Attributes:
        definitions: Path or module of the definitions.
        sources: Where streams come from, as (stream, URI) or (stream, paths of files); a stream
            without one is read from what was sent to it over HTTP.
        redis_url: The store.
        until_end: Stop once every source is read; all of them must have an end.
        durability: What a commit must survive.
        patience_s: For how long an outage of the store, or of a source's server, is waited out.
        letters_kept: How many dead letters of a stream are kept.
        events_kept: How many events of a stream sent over HTTP are kept once they are committed.
        state: The folder where the flow remembers which store it committed to; None: nowhere.
        rebuild: Take an empty or exchanged store for the right one, and start over in it.
        only: The streams that are its own, others being read elsewhere; None: all.
        streams: Those of its streams to read now; None: all, stage by stage.
        found: The partitions of each source, as they were when the job was handed out; None: as
            they are now.
    """

    definitions: str
    sources: Sequence[tuple[str, str | Sequence[str]]]
    redis_url: str
    until_end: bool = False
    durability: Durability = Durability.NONE
    patience_s: float = 60.0
    letters_kept: int = LETTERS_KEPT
    events_kept: int = EVENTS_KEPT
    state: Path | None = None
    rebuild: bool = False
    only: Collection[str] | None = None
    streams: Collection[str] | None = None
    found: Sequence[Sequence[str]] | None = None


def staged(job: Job) -> list[Job]:
    """Return a job as several, where streams must be read before those that look up in them.

    What there is to read is settled here: a worker that found more than another, as files grow and
    come, would take other shares, and some partitions would be read twice, others by none.

    Raises:
        DefinitionError: The definitions are wrong.
        SourceError: A source is not there.
    """
    catalog = load(job.definitions)
    job = replace(job, sources=[(stream, settled(uri)) for stream, uri in job.sources])
    sources = _sources(job, catalog)
    found = [source.partitions() for source in sources]
    return [replace(job, streams=stage, found=found) for stage in stages(catalog, sources)]


def now_us() -> int:
    """Return the wall clock in microseconds UTC."""
    return time.time_ns() // 1000


def run_worker(job: Job, worker: int = 0, workers: int = 1, stop: Stop | None = None) -> Summary:
    """Run one worker's share of a job in this process, until it ends or is told to.

    Each worker reads neighbouring partitions; one that is left none ends at once.

    SIGTERM and SIGINT end it cleanly: what was read is committed.

    Raises:
        FeatureStoreError: It cannot go on; nothing was lost.
    """
    keep_freed()
    catalog = load(job.definitions)
    feeds = _feeds(job, catalog, worker, workers)
    bulk = all(feed.source.bounded for feed in feeds)
    stores = KnownStores(job.redis_url, job.state, {stream for stream, _ in job.sources})
    writer = Writer(
        catalog,
        job.redis_url,
        now_us,
        job.durability,
        Pace(BULK_FLUSH_EVENTS, BULK_FLUSH_MS) if bulk else Pace(),
        letters_kept=job.letters_kept,
        stores=stores,
        trimming=Trimming(_sent_over_http(job, catalog), job.events_kept),
        committed=partial(let_go, [feed.source for feed in feeds]),
    )
    if not feeds:
        return writer.summary
    if job.rebuild:
        stores.forget(_partitions(feeds))
    stop = stop or Stop()
    with stop_on_signal(stop), closing(writer):
        Patience(job.patience_s, stop).insist(lambda: _run(catalog, feeds, writer, stop), writer)
    return writer.summary


def _run(catalog: Catalog, feeds: list[Feed], writer: Writer, stop: Stop) -> None:
    """Run the flow from where the store says it is; to its end, or until something fails."""
    positions = writer.take_over(_partitions(feeds))
    for stage in stages(catalog, [feed.source for feed in feeds]):
        if not stop.requested:
            now = [feed for feed in feeds if feed.stream.name in stage]
            _run_stage(catalog, now, positions, writer, stop)
    stop.raise_failure()


def _run_stage(
    catalog: Catalog, feeds: list[Feed], positions: Positions, writer: Writer, stop: Stop
) -> None:
    """Read feeds side by side to their end, and commit what they brought."""
    if not all(feed.source.bounded for feed in feeds):
        say(_reading([feed.stream.name for feed in feeds]))
    cli_main(build(catalog, feeds, positions, writer, stop))  # type: ignore[no-untyped-call]
    if not stop.broken:
        with stop.on_failure(lambda: "committing what was read last", breaks=True):
            writer.finish()


def _reading(streams: Sequence[str]) -> str:
    """Say what is read without an end.

    >>> _reading(["clicks", "payments"])
    'reading clicks, payments; Ctrl-C ends it, and the next run goes on from there'
    """
    return f"reading {', '.join(streams)}; Ctrl-C ends it, and the next run goes on from there"


def _feeds(job: Job, catalog: Catalog, worker: int, workers: int) -> list[Feed]:
    sources = _sources(job, catalog)
    endless = [source.stream for source in sources if not source.bounded]
    if job.until_end and endless:
        msg = (
            f"stream {endless[0]!r} has no end, so there is nothing to run --until-end; give it a "
            f"file, as in --source {endless[0]}=events.jsonl"
        )
        raise SourceError(msg)
    found = job.found or [source.partitions() for source in sources]
    places = [
        (source, partition)
        for source, partitions in zip(sources, found, strict=True)
        if job.streams is None or source.stream in job.streams
        for partition in partitions
    ]
    _check_once(places)
    share = places[len(places) * worker // workers : len(places) * (worker + 1) // workers]
    mine = [(source, [p for s, p in share if s is source]) for source in sources]
    return [Feed(catalog.stream(s.stream), s, run) for s, run in mine if run]


def _check_once(places: Sequence[tuple[Source, str]]) -> None:
    counts = Counter((source.stream, partition) for source, partition in places)
    for (stream, partition), count in counts.items():
        if count > 1:
            msg = f"stream {stream!r} is given {partition!r} twice"
            raise SourceError(msg)


def _sources(job: Job, catalog: Catalog) -> list[Source]:
    def source(stream: str, uri: str | Sequence[str]) -> Source:
        return parse_source(catalog.stream(stream), uri, job.redis_url, job.patience_s)

    given = [source(stream, uri) for stream, uri in job.sources]
    if job.until_end and given and job.only is None:
        return given
    named = {stream for stream, _ in job.sources}
    rest = [stream for stream in _own(job, catalog) if stream not in named]
    return given + [source(stream, SENT_OVER_HTTP) for stream in rest]


def _own(job: Job, catalog: Catalog) -> list[str]:
    return [stream for stream in catalog.streams if job.only is None or stream in job.only]


def _sent_over_http(job: Job, catalog: Catalog) -> set[str]:
    given = dict(job.sources)
    return {s for s in _own(job, catalog) if given.get(s, SENT_OVER_HTTP) == SENT_OVER_HTTP}


def _partitions(feeds: Sequence[Feed]) -> dict[str, list[str]]:
    partitions: dict[str, list[str]] = {}
    for feed in feeds:
        partitions.setdefault(feed.stream.name, []).extend(feed.partitions)
    return partitions
