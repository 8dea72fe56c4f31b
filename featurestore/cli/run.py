"""``featurestore run``: the flow."""

import multiprocessing
import sys
from collections.abc import Sequence
from typing import Any

import click

from featurestore.cli.options import definitions, redis_option
from featurestore.definitions.catalog import load
from featurestore.errors import FeatureStoreError
from featurestore.storage.embedded import store_url


@click.command()
@definitions
@click.option(
    "--source",
    "sources",
    multiple=True,
    metavar="STREAM=URI",
    help="Where a stream's events come from: a file (.jsonl .csv .parquet), a glob in quotes, "
    "- for JSON lines on stdin, redis://host:port/stream-key. Without one, a stream is read from "
    "what is sent to it over HTTP.",
)
@click.option("--processes", default=1, show_default=True, type=click.IntRange(1, 256))
@click.option("--until-end", is_flag=True, help="Stop when every source is read and committed.")
@click.option(
    "--durability",
    type=click.Choice(["none", "fsync", "replicated"]),
    default="none",
    show_default=True,
    help="What a commit must survive before the position in the source moves on.",
)
@redis_option
def run(
    definitions: str,
    sources: Sequence[str],
    *,
    processes: int,
    until_end: bool,
    durability: str,
    redis: str | None,
) -> None:
    """Read events, check them, and keep the features of DEFS up to date.

    Stops cleanly on Ctrl-C and SIGTERM; started again, it goes on where it was, and counts each
    event once.

    \b
    Example:
      featurestore run features.py --source payments=payments.jsonl --until-end
    """  # noqa: D301 - click's mark for a paragraph to leave as it is
    from flows.main import Job  # noqa: PLC0415 - loads the engine only where it runs
    from flows.summary import Summary  # noqa: PLC0415

    pairs = [_pair(source) for source in sources]
    catalog = load(definitions)
    for stream, _ in pairs:
        catalog.stream(stream)
    with store_url(redis) as url:
        job = Job(definitions, pairs, url, until_end, durability)
        summary = Summary()
        for counts in _workers(job, processes):
            summary.merge(counts)
    for line in summary.lines():
        click.echo(line)
    if summary.counts["read"] > summary.counts["applied"]:
        click.echo("rejected events: featurestore dead-letters list " + definitions, err=True)


def _pair(source: str) -> tuple[str, str]:
    stream, separator, uri = source.partition("=")
    if not (stream and separator and uri):
        msg = f"{source!r} must be STREAM=URI, as in payments=payments.jsonl"
        raise click.BadParameter(msg, param_hint="--source")
    return stream, uri


def _workers(job: Any, processes: int) -> list[Any]:
    """Run the workers of a job; one runs here, several run as processes that share nothing."""
    from flows.main import run_worker  # noqa: PLC0415

    if processes == 1:
        return [run_worker(job)]
    spawn = multiprocessing.get_context("spawn")
    with spawn.Pool(processes) as pool:
        results = [pool.apply_async(_worker, (job, n, processes)) for n in range(processes)]
        outcomes = [_patiently(result) for result in results]
    failed = [outcome for outcome in outcomes if isinstance(outcome, str)]
    if failed:
        raise FeatureStoreError(failed[0])
    return outcomes


def _patiently(result: Any) -> Any:
    """Wait for a worker; a Ctrl-C has reached it too, and it ends by itself."""
    while True:
        try:
            return result.get()
        except KeyboardInterrupt:
            continue


def _worker(job: Any, worker: int, workers: int) -> Any:
    """Run one worker; its failure travels as text."""
    from flows.main import run_worker  # noqa: PLC0415

    try:
        return run_worker(job, worker, workers)
    except FeatureStoreError as error:
        sys.stderr.flush()
        return str(error)
