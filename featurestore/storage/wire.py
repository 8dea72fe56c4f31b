"""A wire: one blocking connection to the store for commands packed by hand, replies in order.

redis-py opens it (URL, TLS, AUTH, SELECT); its pipelines cost ten times the packing and parsing
done here, which is what most of a writer's time would go to.
"""

from collections.abc import Iterable
from typing import Any

import hiredis
import redis

from featurestore.errors import StoreRefused, StoreUnreachable

Reply = int | bytes | list[Any] | None

_RECEIVE = 1 << 18
_TIMEOUT_SECONDS = 30.0


def pack(*words: bytes) -> bytes:
    r"""Return a command in the Redis protocol.

    >>> pack(b"GET", b"k")
    b'*2\r\n$3\r\nGET\r\n$1\r\nk\r\n'
    """
    parts = [b"$%d\r\n%b\r\n" % (len(word), word) for word in words]
    return b"*%d\r\n" % len(words) + b"".join(parts)


class Wire:
    """One connection.

    Args:
        url: As redis-py takes it: ``redis://``, ``rediss://`` or ``unix://``.

    Raises:
        StoreUnreachable: It cannot be opened.
    """

    def __init__(self, url: str) -> None:
        self.url = url
        pool = redis.ConnectionPool.from_url(url, socket_timeout=_TIMEOUT_SECONDS, protocol=2)
        self._connection = pool.make_connection()
        try:
            self._connection.connect()
        except redis.RedisError as error:
            raise StoreUnreachable(url, error) from error
        self._socket = self._connection._sock  # noqa: SLF001 - redis-py opens, we speak
        self._reader = hiredis.Reader()

    def send(self, commands: Iterable[bytes]) -> None:
        """Send commands; their replies come from `read` in the same order.

        Raises:
            StoreUnreachable: The connection broke.
        """
        try:
            self._socket.sendall(b"".join(commands))
        except OSError as error:
            raise StoreUnreachable(self.url, error) from error

    def read(self) -> Reply:
        """Return the next reply; an error reply inside an array stays in it.

        Raises:
            StoreRefused: It is an error.
            StoreUnreachable: The connection broke, or nothing came for 30 s.
        """
        while True:
            reply = self._reader.gets()
            if reply is not False:
                if isinstance(reply, hiredis.ReplyError):
                    raise StoreRefused(str(reply))
                return reply  # type: ignore[no-any-return] # the reader has no types
            self._receive()

    def ask(self, *words: bytes) -> Reply:
        """Send one command and return its reply."""
        self.send([pack(*words)])
        return self.read()

    def close(self) -> None:
        """Close the connection; what was sent and not read is lost to us, not to the store."""
        self._connection.disconnect()

    def _receive(self) -> None:
        try:
            data = self._socket.recv(_RECEIVE)
        except OSError as error:
            raise StoreUnreachable(self.url, error) from error
        if not data:
            raise StoreUnreachable(self.url, "the server closed the connection")
        self._reader.feed(data)
