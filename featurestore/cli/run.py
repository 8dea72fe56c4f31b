"""``featurestore run``: the flow."""

from collections.abc import Sequence
from pathlib import Path

import click

from featurestore.cli.options import definitions, redis_option
from featurestore.definitions.catalog import load
from featurestore.instants import duration_us
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
@click.option(
    "--stream",
    "streams",
    multiple=True,
    metavar="STREAM",
    help="Read only this stream, others being read by other flows; may be given several times.",
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
@click.option(
    "--retry-for",
    default="60s",
    show_default=True,
    metavar="DURATION",
    help="For how long an outage of the store, or of a Redis Stream, is waited out.",
)
@click.option(
    "--dead-letters-kept",
    default=100_000,
    show_default=True,
    type=click.IntRange(1),
    help="How many rejected events of each stream are kept; how many were let go is counted.",
)
@click.option(
    "--events-kept",
    default=1_000_000,
    show_default=True,
    type=click.IntRange(0),
    help="How many events of each stream sent over HTTP are kept once they are committed.",
)
@click.option(
    "--state",
    default=".featurestore",
    show_default=True,
    type=click.Path(file_okay=False, path_type=Path),
    help="Where the flow remembers which store it committed to.",
)
@click.option(
    "--rebuild",
    is_flag=True,
    help="Go on in a store that was emptied or exchanged: sources are read from the beginning.",
)
@redis_option
def run(
    definitions: str,
    sources: Sequence[str],
    *,
    streams: Sequence[str],
    processes: int,
    until_end: bool,
    durability: str,
    retry_for: str,
    dead_letters_kept: int,
    events_kept: int,
    state: Path,
    rebuild: bool,
    redis: str | None,
) -> None:
    """Read events, check them, and keep the features of DEFS up to date.

    Stops cleanly on Ctrl-C and SIGTERM; started again, it goes on where it was, and counts each
    event once.

    \b
    Example:
      featurestore run features.py --source payments=payments.jsonl --until-end
    """  # noqa: D301 - click's mark for a paragraph to leave as it is
    from featurestore.storage.commit import Durability  # noqa: PLC0415 - the engine, where it runs
    from flows.main import Job, run_worker  # noqa: PLC0415
    from flows.processes import Processes  # noqa: PLC0415

    pairs = [_pair(source) for source in sources]
    catalog = load(definitions)
    for stream in (*streams, *(stream for stream, _ in pairs)):
        catalog.stream(stream)
    _check_sources(pairs, streams)
    with store_url(redis) as url:
        job = Job(
            definitions,
            pairs,
            url,
            until_end,
            Durability(durability),
            patience_s=_seconds(retry_for),
            letters_kept=dead_letters_kept,
            events_kept=events_kept,
            state=state,
            rebuild=rebuild,
            only=streams or None,
        )
        summary = run_worker(job) if processes == 1 else Processes(job, processes).run()
    for line in summary.lines():
        click.echo(line)
    if summary.has_letters:
        click.echo("rejected events: featurestore dead-letters list " + definitions, err=True)


def _pair(source: str) -> tuple[str, str]:
    stream, separator, uri = source.partition("=")
    if not (stream and separator and uri):
        msg = f"{source!r} must be STREAM=URI, as in payments=payments.jsonl"
        raise click.BadParameter(msg, param_hint="--source")
    return stream, uri


def _check_sources(pairs: Sequence[tuple[str, str]], streams: Sequence[str]) -> None:
    """Refuse a source for a stream that is not read."""
    for stream, _ in pairs:
        if streams and stream not in streams:
            msg = (
                f"{stream!r} is not among the streams to read: add --stream {stream}, or leave "
                f"its source to the flow that reads it"
            )
            raise click.BadParameter(msg, param_hint="--source")


def _seconds(duration: str) -> float:
    try:
        return duration_us(duration) / 1e6
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="--retry-for") from error
