"""``featurestore forget``: erasing an entity."""

from collections.abc import Sequence
from contextlib import closing

import click

from featurestore.cli.get import key_values
from featurestore.cli.options import definitions, redis_option
from featurestore.definitions.catalog import load
from featurestore.errors import BadEntity, UnknownName
from featurestore.storage.audit import Audit
from featurestore.storage.embedded import store_url
from featurestore.storage.erasure import Erasure


@click.command()
@definitions
@click.argument("entity")
@click.argument("keys", nargs=-1, required=True, metavar="KEY=VALUE...")
@redis_option
def forget(definitions: str, entity: str, keys: Sequence[str], *, redis: str | None) -> None:
    """Remove all that the store holds of one ENTITY: its rows in every view, its dead letters.

    Events of it that are read later count anew; remove them from the source as well. A line of the
    audit trail says that it was done, and names the entity by the SHA-256 of its key.

    \b
    Example:
      featurestore forget features.py user user_id=u1
    """  # noqa: D301 - click's mark for a paragraph to leave as it is
    catalog = load(definitions)
    if entity not in catalog.entities:
        what = "entity"
        raise UnknownName(what, entity, catalog.entities)
    of = catalog.entities[entity]
    streams = [view.stream for view in catalog.views.values() if view.entity == of]
    kinds = {key: stream.columns[key].kind for stream in streams for key in of.keys}
    values = key_values(keys, kinds)
    absent = [key for key in of.keys if key not in values]
    if absent:
        raise BadEntity(0, f"key {absent[0]!r} is missing, as in {absent[0]}=VALUE")
    with store_url(redis) as url, closing(Audit(url)) as audit:
        erasure = Erasure(catalog, url)
        erased, replayed = erasure.erase(of, values), erasure.replayed(of)
        audit.record(
            "entity forgotten",
            entity=entity,
            key_sha256=erased.digest,
            rows=erased.rows,
            dead_letters=erased.letters,
        )
    click.echo(f"forgotten: rows {erased.rows}, dead letters {erased.letters}")
    if erased.untold:
        click.echo(
            f"left: dead letters {erased.untold}, of which nobody can tell whom they are about: "
            "the key is made of fields that cannot be read. Look at them, mend or purge them: "
            f"featurestore dead-letters list {definitions}",
            err=True,
        )
    for stream in replayed:
        click.echo(
            f"left: dead letters of stream {stream!r} that a replay has taken and not counted yet. "
            f"Let it finish, featurestore dead-letters replay {definitions} --stream {stream}, and "
            "forget again",
            err=True,
        )
