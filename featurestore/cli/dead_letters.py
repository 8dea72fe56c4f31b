"""``featurestore dead-letters``: the events that were rejected, and why."""

import importlib
import re
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from typing import Any, TypeVar

import click
import orjson
from pydantic_core import from_json, to_json

from featurestore.cli.options import definitions, redis_option
from featurestore.contracts.rejection import Reason
from featurestore.definitions.catalog import Catalog, load
from featurestore.definitions.foreign import Foreign
from featurestore.errors import FeatureStoreError, RequestError
from featurestore.instants import instant_text
from featurestore.storage.audit import Audit
from featurestore.storage.dead_letters import DeadLetter, DeadLetters
from featurestore.storage.embedded import store_url

_RAW_SHOWN = 200
_ID = re.compile(r"\d+-\d+")
Command = TypeVar("Command", bound=Callable[..., Any])


def _chosen(command: Command) -> Command:
    """Add the options that say which letters."""
    for option in (
        click.option(
            "--id", "ids", multiple=True, metavar="ID", help="Only this one, as `list` says."
        ),
        click.option(
            "--reason", type=click.Choice([r.value for r in Reason]), help="Only this reason."
        ),
        click.option("--stream", help="Only this stream."),
    ):
        command = option(command)
    return command


@click.group(name="dead-letters")
def dead_letters() -> None:
    """Look at events that were rejected, with their reasons; replay them, or throw them away."""


@dead_letters.command(name="list")
@definitions
@click.option("--stream", help="Only this stream.")
@click.option("--reason", type=click.Choice([r.value for r in Reason]), help="Only this reason.")
@click.option(
    "--limit",
    default=50,
    show_default=True,
    type=click.IntRange(1),
    help="How many of each stream at most.",
)
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
    """List the newest rejected events of DEFS, newest first, and counts by reason.

    \b
    Example:
      featurestore dead-letters list features.py --reason late
    """  # noqa: D301 - click's mark for a paragraph to leave as it is
    catalog = load(definitions)
    streams = _streams(catalog, stream)
    with store_url(redis) as url:
        letters = DeadLetters(url)
        counts = {name: letters.counts(name) for name in streams}
        found = [letter for name in streams for letter in letters.newest(name, limit, reason)]
    if as_json:
        for letter in found:
            click.echo(orjson.dumps(_fields(letter)).decode())
        return
    for name, reasons in counts.items():
        text = ", ".join(f"{reason} {count}" for reason, count in sorted(reasons.items()))
        click.echo(f"{name}: {text or 'no dead letters'}")
    for letter in found:
        for line in _lines(letter):
            click.echo(line)


@dead_letters.command()
@definitions
@click.argument("stream")
@click.argument("letter_id")
@redis_option
def show(definitions: str, stream: str, letter_id: str, *, redis: str | None) -> None:
    """Show one rejected event of a stream in full; `list` has its id.

    \b
    Example:
      featurestore dead-letters show features.py payments 1795570792733-0
    """  # noqa: D301 - click's mark for a paragraph to leave as it is
    name, letter = load(definitions).stream(stream).name, None
    if _ID.fullmatch(letter_id):
        with store_url(redis) as url:
            letter = DeadLetters(url).one(name, letter_id)
    if letter is None:
        msg = (
            f"stream {name!r} has no dead letter {letter_id!r}; "
            f"featurestore dead-letters list {definitions} --stream {name} shows their ids"
        )
        raise RequestError(msg)
    for field, value in _fields(letter).items():
        click.echo(f"{field}: {value}")


@dead_letters.command()
@definitions
@_chosen
@click.option(
    "--mend",
    metavar="MODULE:FUNCTION",
    help="Mends an event first: takes the event as a dict (bytes if it is no JSON object), returns "
    "it mended, or None to leave it where it is.",
)
@redis_option
def replay(
    definitions: str,
    *,
    stream: str | None,
    reason: str | None,
    ids: Sequence[str],
    mend: str | None,
    redis: str | None,
) -> None:
    """Send rejected events through the flow again, after a fix of the contract or mended.

    An event counts once, however often it is replayed; one that is rejected again stays a dead
    letter, with the new reason.

    \b
    Example:
      featurestore dead-letters replay features.py --reason invalid --mend fixes:mend
    """  # noqa: D301 - click's mark for a paragraph to leave as it is
    from flows.main import now_us  # noqa: PLC0415 - loads the engine only where it runs
    from flows.replay import Replay  # noqa: PLC0415
    from flows.summary import Summary  # noqa: PLC0415

    catalog = load(definitions)
    mending = _mending(mend)
    summary = Summary()
    with store_url(redis) as url:
        for name in _streams(catalog, stream):
            one = Replay(catalog, catalog.stream(name), url, now_us)
            summary.merge(one.run(_choice(reason, ids), mending))
        with closing(Audit(url)) as audit:
            audit.record("dead letters replayed", applied=summary.counts["applied"])
    counts = [f"{name} {count}" for name, count in sorted(summary.counts.items())]
    click.echo(", ".join(counts) or "no dead letters to replay")


@dead_letters.command()
@definitions
@_chosen
@redis_option
def purge(
    definitions: str,
    *,
    stream: str | None,
    reason: str | None,
    ids: Sequence[str],
    redis: str | None,
) -> None:
    """Throw rejected events away for good."""
    catalog, chosen, gone = load(definitions), _choice(reason, ids), 0
    with store_url(redis) as url, closing(DeadLetters(url)) as letters:
        for name in _streams(catalog, stream):
            for page in letters.pages(name):
                gone += letters.purge(name, [letter.id for letter in page if chosen(letter)])
        with closing(Audit(url)) as audit:
            audit.record("dead letters purged", letters=gone)
    click.echo(f"purged {gone}")


def _streams(catalog: Catalog, stream: str | None) -> list[str]:
    return [catalog.stream(stream).name] if stream else list(catalog.streams)


def _choice(reason: str | None, ids: Sequence[str]) -> Callable[[DeadLetter], bool]:
    return lambda letter: reason in (None, letter.reason) and (not ids or letter.id in ids)


def _mending(name: str | None) -> Callable[[DeadLetter], bytes | None]:
    """Return what mends letters: a user's function, or nothing at all."""
    if name is None:
        return lambda letter: letter.raw
    function = _function(name)

    def mend(letter: DeadLetter) -> bytes | None:
        try:
            event = from_json(letter.raw)  # as the contract reads it, NaN and large numbers too
        except ValueError:
            event = None
        with Foreign() as code:
            mended = function(event if isinstance(event, dict) else letter.raw)
            return _written(mended)
        msg = f"{name} failed on letter {letter.id}: {code.said}"
        raise FeatureStoreError(msg) from code.failure

    return mend


def _written(mended: object) -> bytes | None:
    """Return what is put in the place of an event; what is none would be all that is left of it."""
    if mended is None or isinstance(mended, bytes):
        return mended
    written = to_json(mended, inf_nan_mode="constants")
    if written.startswith(b"{"):
        return written
    msg = f"it gave {type(mended).__name__}; return the event as a dict, or None to leave it"
    raise TypeError(msg)


def _function(name: str) -> Callable[[object], object]:
    module, _, function = name.partition(":")
    if "" not in sys.path:
        sys.path.insert(0, "")
    with Foreign() as code:
        found: Callable[[object], object] = getattr(importlib.import_module(module), function)
        return found
    msg = f"{name!r} is no MODULE:FUNCTION that can be loaded: {code.said}"
    raise click.BadParameter(msg, param_hint="--mend") from code.failure


def _fields(letter: DeadLetter) -> dict[str, object]:
    return {
        "id": letter.id,
        "stream": letter.stream,
        "partition": letter.partition,
        "offset": letter.offset,
        "step": letter.step,
        "replay": letter.replay,
        "reason": letter.reason,
        "detail": letter.detail,
        "at": instant_text(letter.at_us),
        "raw": letter.raw.decode(errors="backslashreplace"),
    }


def _lines(letter: DeadLetter) -> Iterator[str]:
    raw = letter.raw.decode(errors="backslashreplace")
    place = f"{letter.partition.rsplit('/', 1)[-1]}:{letter.offset}"
    yield f"{letter.id}  {letter.reason}  {letter.stream} {place}"
    yield f"  {letter.detail}"
    yield f"  {raw if len(raw) <= _RAW_SHOWN else raw[: _RAW_SHOWN - 1] + '…'}"
