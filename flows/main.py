"""Running a flow: the composition root of the writing side."""

import time
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass

from bytewax.run import cli_main

from featurestore.definitions.catalog import Catalog, load
from featurestore.errors import SourceError
from featurestore.storage.commit import Durability
from flows.dataflow import Feed, build
from flows.sources.source import Source
from flows.sources.uri import parse_source
from flows.stop import Stop, stop_on_signal
from flows.summary import Summary
from flows.writer import Writer

FAST_FLUSH_MS = 20
BULK_FLUSH_MS = 200


@dataclass(frozen=True)
class Job:
    """What to run; plain values, so that it can be handed to another process.

    Attributes:
        definitions: Path or module of the definitions.
        sources: Where streams come from, as (stream, URI); a stream without one is read from what
            was sent to it over HTTP.
        redis_url: The store.
        until_end: Stop once every source is read; all of them must have an end.
        durability: What a commit must survive.
    """

    definitions: str
    sources: Sequence[tuple[str, str]]
    redis_url: str
    until_end: bool = False
    durability: Durability = Durability.NONE


def now_us() -> int:
    """Return the wall clock in microseconds UTC."""
    return time.time_ns() // 1000


def run_worker(job: Job, worker: int = 0, workers: int = 1) -> Summary:
    """Run every `workers`-th partition of a job in this process, until it ends or is told to.

    SIGTERM and SIGINT end it cleanly: what was read is committed.

    Raises:
        FeatureStoreError: It cannot go on; nothing was lost.
    """
    catalog = load(job.definitions)
    feeds = _feeds(job, catalog, worker, workers)
    bulk = all(feed.source.bounded for feed in feeds)
    writer = Writer(
        catalog,
        job.redis_url,
        now_us,
        job.durability,
        flush_ms=BULK_FLUSH_MS if bulk else FAST_FLUSH_MS,
    )
    if not feeds:
        return writer.summary
    stop = Stop()
    positions = writer.take_over(_partitions(feeds))
    with stop_on_signal(stop), closing(writer):
        cli_main(build(catalog, feeds, positions, writer, stop))
        stop.raise_failure()
        writer.finish()
    return writer.summary


def _feeds(job: Job, catalog: Catalog, worker: int, workers: int) -> list[Feed]:
    sources = _sources(job, catalog)
    endless = [source.stream for source in sources if not source.bounded]
    if job.until_end and endless:
        msg = (
            f"stream {endless[0]!r} has no end, so there is nothing to run --until-end; give it a "
            f"file, as in --source {endless[0]}=events.jsonl"
        )
        raise SourceError(msg)
    feeds, number = [], 0
    for source in sources:
        partitions = source.partitions()
        mine = [p for place, p in enumerate(partitions, number) if place % workers == worker]
        number += len(partitions)
        if mine:
            feeds.append(Feed(catalog.stream(source.stream), source, mine))
    return feeds


def _sources(job: Job, catalog: Catalog) -> list[Source]:
    given = [
        parse_source(catalog.stream(stream).name, uri, job.redis_url) for stream, uri in job.sources
    ]
    if job.until_end and given:
        return given
    named = {stream for stream, _ in job.sources}
    rest = [stream for stream in catalog.streams if stream not in named]
    return given + [parse_source(stream, "http", job.redis_url) for stream in rest]


def _partitions(feeds: Sequence[Feed]) -> dict[str, list[str]]:
    partitions: dict[str, list[str]] = {}
    for feed in feeds:
        known = partitions.setdefault(feed.stream.name, [])
        twice = sorted(set(known) & set(feed.partitions))
        if twice:
            msg = f"stream {feed.stream.name!r} is given {twice[0]!r} twice"
            raise SourceError(msg)
        known += feed.partitions
    return partitions
