"""``featurestore serve``: the HTTP API."""

import click

from featurestore.cli.options import optional_definitions, redis_option
from featurestore.definitions.catalog import load
from featurestore.storage.embedded import store_url


@click.command()
@optional_definitions
@click.option("--host", default="127.0.0.1", show_default=True)
@click.option("--port", default=8000, show_default=True, type=click.IntRange(0, 65535))
@click.option("--processes", default=1, show_default=True, type=click.IntRange(1, 256))
@redis_option
def serve(definitions: str, *, host: str, port: int, processes: int, redis: str | None) -> None:
    """Answer look-ups of the services in DEFS over HTTP, and take events in.

    \b
    Example:
      featurestore serve features.py --port 8000
      curl -s localhost:8000/v1/features/fraud_v1 -d '{"entities": [{"user_id": "u1"}]}'
    """  # noqa: D301 - click's mark for a paragraph to leave as it is
    from api.main import serve as serve_api  # noqa: PLC0415 - loads the framework only where it runs

    load(definitions)
    with store_url(redis) as url:
        serve_api(definitions, url, host=host, port=port, processes=processes)
