"""``featurestore audit``: what was changed by hand."""

from contextlib import closing

import click
import orjson

from featurestore.cli.options import redis_option
from featurestore.instants import instant_text
from featurestore.storage.audit import Audit
from featurestore.storage.embedded import store_url


@click.command()
@click.option("--limit", default=50, show_default=True, type=click.IntRange(1))
@redis_option
def audit(*, limit: int, redis: str | None) -> None:
    """Print what was changed by hand, newest first, one JSON object a line.

    \b
    Example:
      featurestore audit --limit 10
    """  # noqa: D301 - click's mark for a paragraph to leave as it is
    with store_url(redis) as url, closing(Audit(url)) as trail:
        lines = trail.newest(limit)
    for line in lines:
        click.echo(orjson.dumps({**line, "at": instant_text(int(line["at"]))}).decode())
