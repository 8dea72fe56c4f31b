"""Addresses: the URLs of stores, judged before anything connects."""

from urllib.parse import urlsplit

import redis

from featurestore.errors import without_password

_SCHEMES = ("redis", "rediss", "unix")
_EXAMPLE = "write redis://[:password@]host:port"
_ESCAPES = "and # / ? of a password as %23 %2F %3F"


def problem(url: str) -> str | None:
    """Say what is wrong with a store's URL; None if nothing is. Passwords in it are not shown.

    >>> problem("redis://:s3cret@cache:6379/0"), problem("rediss://cache?ssl_cert_reqs=none")
    (None, None)
    >>> print(problem("cache:6379"))
    'cache:6379' must be redis://host:port, rediss://host:port (TLS) or unix://path
    >>> print(problem("redis://:s#cret@cache:6379"))
    'redis://:***@cache:6379': its port is no number up to 65535; write \
redis://[:password@]host:port, and # / ? of a password as %23 %2F %3F
    """
    scheme, separator, _ = url.partition("://")
    if scheme not in _SCHEMES or not separator:
        wanted = "must be redis://host:port, rediss://host:port (TLS) or unix://path"
        return f"{without_password(url)!r} {wanted}"
    wrong = misplaced(url) or _wrong_database(url) or _wrong_options(url)
    return f"{without_password(url)!r}: {wrong}" if wrong else None


def misplaced(url: str) -> str | None:
    """Say what is wrong with the host and the port of a URL, whatever path it has; None if nothing.

    >>> print(misplaced("redis://cache:6379/payments"), misplaced("redis://[::1/payments"))
    None its host cannot be read; write redis://[:password@]host:port
    """
    try:
        parts = urlsplit(url)
    except ValueError:  # a bracket of an IPv6 address is missing
        return f"its host cannot be read; {_EXAMPLE}"
    try:
        parts.port  # noqa: B018 - reading it checks it
    except ValueError:
        return f"its port is no number up to 65535; {_EXAMPLE}, {_ESCAPES}"
    if "#" in url:
        return "what stands behind # would be passed over; write # as %23"
    return None


def _wrong_database(url: str) -> str | None:
    parts = urlsplit(url)
    database = parts.path.strip("/")
    if parts.scheme == "unix" or not database or (database.isascii() and database.isdigit()):
        return None
    return f"its database {database!r} is no number; {_EXAMPLE}/db"


def _wrong_options(url: str) -> str | None:
    """Let redis-py make a connection of it, which opens nothing."""
    try:
        redis.ConnectionPool.from_url(url).make_connection()
    except (ValueError, TypeError) as error:
        return f"what stands behind ? is not understood: {error}"
    return None
