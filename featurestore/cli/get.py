"""``featurestore get``: one vector."""

import json
from collections.abc import Sequence

import click

from featurestore.cli.options import definitions, redis_option
from featurestore.client import Client
from featurestore.definitions.catalog import load
from featurestore.definitions.contract import Kind
from featurestore.errors import BadEntity
from featurestore.instants import parse_instant
from featurestore.serving.key_values import parsed
from featurestore.storage.embedded import store_url


@click.command()
@definitions
@click.argument("service")
@click.argument("keys", nargs=-1, metavar="KEY=VALUE...")
@click.option("--as-of", metavar="T", help="The moment to look back from, as 2026-01-31T12:00:00Z.")
@redis_option
def get(
    definitions: str, service: str, keys: Sequence[str], *, as_of: str | None, redis: str | None
) -> None:
    """Print the vector of one entity as JSON.

    \b
    Example:
      featurestore get features.py fraud_v1 user_id=u1 merchant_id=m9
    """  # noqa: D301 - click's mark for a paragraph to leave as it is
    catalog = load(definitions)
    kinds = catalog.service(service).keys
    entity = key_values(keys, kinds)
    now_us = instant(as_of)
    with store_url(redis) as url, Client(catalog, url) as client:
        vector = client.get(service, entity, as_of=now_us)
    click.echo(json.dumps(vector, ensure_ascii=False))


def key_values(pairs: Sequence[str], kinds: dict[str, Kind]) -> dict[str, object]:
    """Return keys given as KEY=VALUE by name.

    Raises:
        BadEntity: A value is not of its key's kind.
    """
    values: dict[str, object] = {}
    for pair in pairs:
        key, separator, text = pair.partition("=")
        if not separator:
            msg = f"{pair!r} must be KEY=VALUE, as in user_id=u1"
            raise click.BadParameter(msg, param_hint="KEY=VALUE")
        try:
            values[key] = parsed(text, kinds[key]) if key in kinds else text
        except ValueError as error:
            raise BadEntity(0, f"key {key!r} {error}") from error
    return values


def instant(text: str | None) -> int | None:
    """Return an instant given on the command line in microseconds."""
    try:
        return parse_instant(text) if text is not None else None
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="--as-of") from error
