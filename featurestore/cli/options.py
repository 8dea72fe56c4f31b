"""Arguments and options that commands share."""

import click


def store(_context: click.Context, _option: click.Parameter, url: str | None) -> str | None:
    """Check the URL of a store; an empty one is none.

    >>> store(None, None, "redis://cache:6379/0"), store(None, None, "")
    ('redis://cache:6379/0', None)
    >>> store(None, None, "cache:6379")
    Traceback (most recent call last):
      ...
    click.exceptions.BadParameter: 'cache:6379' must be redis://host:port, rediss://host:port \
(TLS) or unix://path
    """
    if not url:
        return None
    from featurestore.storage.address import problem  # noqa: PLC0415 - check loads no redis

    wrong = problem(url)
    if wrong:
        raise click.BadParameter(wrong)
    return url


definitions = click.argument("definitions", metavar="DEFS")

optional_definitions = click.argument("definitions", metavar="[DEFS]", default="features.py")

redis_option = click.option(
    "--redis",
    envvar="FEATURESTORE_REDIS_URL",
    show_envvar=True,
    metavar="URL",
    callback=store,
    help="The store, as redis://[:password@]host:port/db. Without it: a server of its own, shared "
    "by all commands in this directory, its data in .featurestore/.",
)
