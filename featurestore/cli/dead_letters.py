"""``featurestore dead-letters``: the events that were rejected, and why."""

from collections.abc import Iterator

import click
import orjson
from rich.console import Console
from rich.table import Table

from featurestore.cli.options import definitions, redis_option
from featurestore.definitions.catalog import load
from featurestore.errors import UnknownName
from featurestore.instants import instant_text
from featurestore.storage.dead_letters import DeadLetter, DeadLetters
from featurestore.storage.embedded import store_url

_RAW_SHOWN = 80


@click.group(name="dead-letters")
def dead_letters() -> None:
    """List and show events that were rejected, with their reasons."""


@dead_letters.command(name="list")
@definitions
@click.option("--stream", help="Only this stream.")
@click.option("--reason", help="Only this reason: malformed, invalid, late, future.")
@click.option("--limit", default=50, show_default=True, type=click.IntRange(1))
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")
@redis_option
def list_(
    definitions: str,
    *,
    stream: str | None,
    reason: str | None,
    limit: int,
    as_json: bool,
    redis: str | None,
) -> None:
    """List the newest rejected events, newest first."""
    catalog = load(definitions)
    streams = [catalog.stream(stream).name] if stream else list(catalog.streams)
    with store_url(redis) as url:
        letters = DeadLetters(url)
        counts = {name: letters.counts(name) for name in streams}
        found = [letter for name in streams for letter in letters.newest(name, limit, reason)]
    if as_json:
        for letter in found:
            click.echo(orjson.dumps(_fields(letter)))
        return
    for name, reasons in counts.items():
        text = ", ".join(f"{reason} {count}" for reason, count in sorted(reasons.items()))
        click.echo(f"{name}: {text or 'no dead letters'}")
    if found:
        Console().print(_table(found))


@dead_letters.command()
@definitions
@click.argument("stream")
@click.argument("letter_id")
@redis_option
def show(definitions: str, stream: str, letter_id: str, *, redis: str | None) -> None:
    """Show one rejected event in full, as `list` names it."""
    catalog = load(definitions)
    with store_url(redis) as url:
        letter = DeadLetters(url).one(catalog.stream(stream).name, letter_id)
    if letter is None:
        raise UnknownName("dead letter", letter_id, [])
    for name, value in _fields(letter).items():
        click.echo(f"{name}: {value}")


def _fields(letter: DeadLetter) -> dict[str, object]:
    return {
        "id": letter.id,
        "stream": letter.stream,
        "partition": letter.partition,
        "offset": letter.offset,
        "reason": letter.reason,
        "detail": letter.detail,
        "at": instant_text(letter.at_us),
        "raw": letter.raw.decode(errors="backslashreplace"),
    }


def _table(letters: list[DeadLetter]) -> Table:
    table = Table("id", "stream", "offset", "reason", "detail", "event")
    for cells in _rows(letters):
        table.add_row(*cells)
    return table


def _rows(letters: list[DeadLetter]) -> Iterator[tuple[str, ...]]:
    for letter in letters:
        raw = letter.raw.decode(errors="backslashreplace")
        short = raw if len(raw) <= _RAW_SHOWN else raw[: _RAW_SHOWN - 1] + "…"
        place = f"{letter.partition.rsplit('/', 1)[-1]}:{letter.offset}"
        yield letter.id, letter.stream, place, letter.reason, letter.detail, short
