"""A wire: one blocking connection to the store for commands packed by hand, replies in order.

redis-py opens it (URL, TLS, AUTH, SELECT); its pipelines cost ten times the packing and parsing
done here, which is what most of a writer's time would go to.
"""

import select
from collections.abc import Callable, Iterable
from socket import socket
from typing import Any, TypeVar, cast

import hiredis
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from featurestore.errors import StoreUnreachable, without_password
from featurestore.storage.commands import pack
from featurestore.storage.faults import mapped, refusal

Reply = int | bytes | list[Any] | None
R = TypeVar("R")

MARK = pack(b"PING")
_MARKED = b"+PONG\r\n"
_RECEIVE = 1 << 18
_TIMEOUT_SECONDS = 30.0
_CONNECT_SECONDS = 5.0


class Wire:
    """One connection.

    Args:
        url: As redis-py takes it: ``redis://``, ``rediss://`` or ``unix://``.

    Raises:
        StoreUnreachable: It cannot be opened.
        StoreRefused: The server wants a password, or is not ready.
    """

    def __init__(self, url: str) -> None:
        self.url, secure = url, url.startswith("rediss:")
        pool = redis.ConnectionPool.from_url(
            url,
            socket_timeout=_CONNECT_SECONDS if secure else _TIMEOUT_SECONDS,  # also of a handshake
            socket_connect_timeout=_CONNECT_SECONDS,
            protocol=2,
            retry=Retry(NoBackoff(), 0),  # whether to try again is the flow's decision
        )
        self._connection = cast("Any", pool.make_connection())
        with mapped(url):
            self._connection.connect()
        self._socket: socket = self._connection._sock  # noqa: SLF001 - redis-py opens, we speak
        self._socket.settimeout(_TIMEOUT_SECONDS)
        self._reader = hiredis.Reader()
        self._ahead = b""  # received, not yet given to the reader
        self._room = memoryview(bytearray(_RECEIVE))

    @property
    def shown(self) -> str:
        """The URL as it may be shown."""
        return without_password(self.url)

    def send(self, commands: Iterable[bytes | memoryview]) -> None:
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
            StoreRefused: It is an error; what was sent behind it has not been read.
            StoreUnreachable: The connection broke, or nothing came for 30 s.
        """
        while True:
            reply = self._reader.gets()
            if reply is not False:
                if isinstance(reply, hiredis.ReplyError):
                    raise refusal(str(reply))
                return reply  # type: ignore[no-any-return] # the reader has no types
            self._reader.feed(self._ahead or self._received())
            self._ahead = b""

    def expect(self, replies: bytes) -> bool:
        """Read replies whose bytes should be `replies`: much faster than one by one.

        Returns:
            Whether they were; else none of them has been read.

        Raises:
            StoreUnreachable: The connection broke.
        """
        if self._reader.has_data():
            return False
        while len(self._ahead) < len(replies) and replies.startswith(self._ahead):
            self._ahead += self._received()
        if not self._ahead.startswith(replies):
            return False
        self._ahead = self._ahead[len(replies) :]
        return True

    def whole(
        self, worth: Callable[[bytes], bool], parse: Callable[[memoryview], R | None]
    ) -> R | Reply:
        """Return a reply as `parse` reads it off its bytes; `MARK` was sent behind its command.

        Nothing else may be under way: where the answer to `MARK` ends what came, the reply ends.

        Args:
            worth: Tells by the first bytes that came whether to collect the others for `parse`.
            parse: Returns None for what it cannot read; then the reply is as `read` returns it.

        Raises:
            StoreRefused: It is an error.
            StoreUnreachable: The connection broke, or nothing came for 30 s.
        """
        parsed = None
        if not self._reader.has_data():
            self._ahead = self._ahead or self._received()
            parsed = self._parsed(parse) if worth(self._ahead) else None
        if parsed is not None:
            self._ahead = b""
            return parsed
        reply = self.read()
        self.read()
        return reply

    def _parsed(self, parse: Callable[[memoryview], R | None]) -> R | None:
        answer = bytearray(self._ahead)
        while not answer.endswith(_MARKED):
            answer += self._received()
        self._ahead = bytes(answer)
        return parse(memoryview(self._ahead)[: -len(_MARKED)])

    def ready(self, seconds: float) -> bool:
        """Tell whether a reply has come, at least in part; waits for one at most so long."""
        if self._ahead or self._reader.has_data():
            return True
        waiting = select.poll()
        waiting.register(self._socket, select.POLLIN)
        return bool(waiting.poll(seconds * 1000))

    def ask(self, *words: bytes) -> Reply:
        """Send one command and return its reply."""
        self.send([pack(*words)])
        return self.read()

    def close(self) -> None:
        """Close the connection; what was sent and not read is lost to us, not to the store."""
        self._connection.disconnect()

    def _received(self) -> bytes:
        try:
            size = self._socket.recv_into(self._room)
        except OSError as error:
            raise StoreUnreachable(self.url, error) from error
        if not size:
            raise StoreUnreachable(self.url, "the server closed the connection")
        return bytes(self._room[:size])
