"""``featurestore get``: one vector."""

import json
from collections.abc import Mapping, Sequence

import click

from featurestore.cli.options import definitions, redis_option
from featurestore.client import Client
from featurestore.definitions.catalog import load
from featurestore.definitions.contract import Kind
from featurestore.definitions.on_demand import Declared
from featurestore.errors import BadContext, BadEntity
from featurestore.instants import instant_text, parse_instant
from featurestore.serving.key_values import parsed
from featurestore.serving.vector import Vectors
from featurestore.storage.embedded import store_url


@click.command()
@definitions
@click.argument("service")
@click.argument("keys", nargs=-1, metavar="KEY=VALUE...")
@click.option("--as-of", metavar="T", help="The moment to look back from, as 2026-01-31T12:00:00Z.")
@click.option("--features", metavar="NAME,…", help="The features wanted, in the order wanted.")
@click.option("--context", multiple=True, metavar="KEY=VALUE", help="What on-demand features need.")
@click.option(
    "--explain",
    is_flag=True,
    help="Say of each value its status, the time of the newest event behind it, and whether it is "
    "exact.",
)
@redis_option
def get(
    definitions: str,
    service: str,
    keys: Sequence[str],
    *,
    as_of: str | None,
    features: str | None,
    context: Sequence[str],
    explain: bool,
    redis: str | None,
) -> None:
    """Print the vector of one entity as JSON.

    \b
    Example:
      featurestore get features.py fraud_v1 user_id=u1 merchant_id=m9
    """  # noqa: D301 - click's mark for a paragraph to leave as it is
    catalog = load(definitions)
    asked = catalog.service(service)
    brought = context_values(context, asked.context)
    now_us = instant(as_of)
    wanted = features.split(",") if features is not None else None
    with store_url(redis) as url, Client(catalog, url) as client:
        entity = key_values(keys, asked.keys)
        vectors = client.vectors(service, [entity], as_of=now_us, features=wanted, context=brought)
    said = _explained(vectors) if explain else vectors.values[0]
    click.echo(json.dumps(dict(zip(vectors.shape.features, said, strict=True)), ensure_ascii=False))


def _explained(vectors: Vectors) -> list[dict[str, object]]:
    """Say all there is to say of each value of the one vector."""
    (values,), (statuses,), (times,) = vectors.values, vectors.statuses, vectors.event_times
    (exact,) = vectors.exact
    return [
        {
            "value": value,
            "status": status,
            "event_time": None if at is None else instant_text(at),
            "exact": is_exact,
        }
        for value, status, at, is_exact in zip(values, statuses, times, exact, strict=True)
    ]


def key_values(pairs: Sequence[str], kinds: dict[str, Kind]) -> dict[str, object]:
    """Return keys given as KEY=VALUE by name.

    Raises:
        BadEntity: A key stands twice, or its value is not of its kind.
    """
    values: dict[str, object] = {}
    for pair in pairs:
        key, text = _pair(pair, "KEY=VALUE", "user_id=u1")
        if key in values:
            raise BadEntity(0, f"key {key!r} stands twice; a command is about one entity")
        try:
            values[key] = parsed(text, kinds[key]) if key in kinds else text
        except ValueError as error:
            raise BadEntity(0, f"key {key!r} {error}") from error
    return values


def context_values(pairs: Sequence[str], known: Mapping[str, Declared]) -> dict[str, object] | None:
    """Return a context given as KEY=VALUE by name; None without any.

    Raises:
        BadContext: A value is not of the kind declared.
    """
    values: dict[str, object] = {}
    for pair in pairs:
        name, text = _pair(pair, "--context", "amount=12.5")
        try:
            values[name] = parsed(text, known[name].kind) if name in known else text
        except ValueError as error:
            raise BadContext(None, f"{name!r} {error}") from error
    return values or None


def _pair(pair: str, where: str, example: str) -> tuple[str, str]:
    name, separator, text = pair.partition("=")
    if not (name and separator):
        msg = f"{pair!r} must be KEY=VALUE, as in {example}"
        raise click.BadParameter(msg, param_hint=where)
    return name, text


def instant(text: str | None) -> int | None:
    """Return an instant given on the command line in microseconds."""
    try:
        return parse_instant(text) if text is not None else None
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="--as-of") from error
