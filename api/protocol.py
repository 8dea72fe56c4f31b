"""The hot routes before ASGI: look-ups answered in the HTTP protocol itself.

uvicorn's way to an app costs 60-70 µs a request, this one 5. It is taken only by the plainest of
requests: HTTP/1.1, whole in one read, nothing else under way on the connection. All others go to
uvicorn's parser and the app, whose routes for the same paths call the same `Lookups`:

1. What is decided is decided from the bytes read, before uvicorn's parser has seen any of them; so
   there is no state to hand over.
2. A head that is not strictly what RFC 9112 allows is not plain: uvicorn says what is wrong with
   it. The same for a length that does not fit, a coding, an expectation, an upgrade, a close.
3. What arrives while a look-up is under way waits, and is taken up in order.
4. A wish for another protocol is passed over, as a server may: uvicorn's parser would take the
   body for that of the other one. Clients that know HTTP/2 express it with their first request.
5. A connection that is to end and has nothing under way stays open a moment more: a request may be
   on its way here, and whoever sent it would not learn whether it was lost.
"""

import asyncio
import re
from http import HTTPStatus
from typing import Any, NamedTuple

from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.server import ServerState

from api.answer import ARROW, Answer
from api.lookups import Lookups, Request
from api.problems import problem

_TOKEN = rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
_PLAIN = re.compile(
    rb"(POST|GET) /v1/features/([A-Za-z0-9_.~-]+)(?:\?([!-\"$-~]*))? HTTP/1\.1\r\n"
    rb"((?:" + _TOKEN + rb":[\t -~\x80-\xff]*\r\n)+)"
)
_HEADER = re.compile(rb"(" + _TOKEN + rb"):[\t ]*([\t -~\x80-\xff]*?)[\t ]*\r\n")
_UPGRADE = re.compile(rb"\r\nupgrade:[^\r\n]*", re.IGNORECASE)
_UNUSUAL = frozenset({b"transfer-encoding", b"expect", b"upgrade", b"te", b"trailer"})
_LONGEST_HEAD = 2048
_LAST_WORD_SECONDS = 0.3  # more than most networks take
_HEADS_KEPT = 1024
_STATUS_LINES = {s.value: f"HTTP/1.1 {s.value} {s.phrase}\r\n".encode() for s in HTTPStatus}


class _Head(NamedTuple):
    """What stands before the body of a plain look-up."""

    service: str
    query: bytes | None
    length: int
    arrow: bool


class HotProtocol(HttpToolsProtocol):
    """uvicorn's protocol, with a way of its own for look-ups.

    The app's lifespan state must have ``lookups`` and ``lookup_bytes``.
    """

    # Heads that came before: a client sends the same one again and again.
    _heads: dict[bytes, _Head | None] = {}  # noqa: RUF012 - shared by all connections on purpose

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self._lookups: Lookups = app_state["lookups"]
        self._most_bytes: int = app_state["lookup_bytes"]
        self._reading = False  # uvicorn's parser is inside a message
        self._busy = False  # a look-up is under way
        self._held = b""
        self._last_us = 0.0
        self._closing = False

    def data_received(self, data: bytes) -> None:
        """Answer a plain look-up, hand anything else to uvicorn."""
        if self._busy:
            self._held += data
            self.flow.pause_reading()
            return
        request = _plain(data, self._heads) if self._is_idle() else None
        if request is None or len(request.body) > self._most_bytes:
            super().data_received(data if self._reading else _without_upgrade(data))
            return
        self._busy = True
        self._lookups.start(request, self._answered)

    def on_message_begin(self) -> None:
        """Note that uvicorn's parser is inside a message."""
        self._reading = True
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        """Begin to answer; the last answer of a connection says so."""
        super().on_headers_complete()
        if self._closing and self.cycle is not None:
            self.cycle.keep_alive = False

    def on_message_complete(self) -> None:
        """Note that it no longer is."""
        self._reading = False
        super().on_message_complete()

    def send_400_response(self, msg: str) -> None:
        """Refuse what is no HTTP, and end the connection."""
        detail = f"{msg} Expected a request of HTTP/1.1 with at most 64 KiB of path and query."
        answer = problem(HTTPStatus.BAD_REQUEST, "malformed-http", detail, "")
        self.transport.write(_written(answer, self.server_state, closing=True))
        self.transport.close()

    def timeout_keep_alive_handler(self) -> None:
        """Close a connection that was idle for long; look-ups do not set the timer anew."""
        idle = self.loop.time() - self._last_us
        if self._busy or idle < self.timeout_keep_alive:
            self._rest(self.timeout_keep_alive - idle)
        else:
            super().timeout_keep_alive_handler()

    def shutdown(self) -> None:
        """Close the connection once what is under way, or on its way here, is answered."""
        self._closing = True
        if self.cycle is None or self.cycle.response_complete:
            self.loop.call_later(_LAST_WORD_SECONDS, self._end)
        else:
            super().shutdown()

    def _end(self) -> None:
        if not self._busy:
            super().shutdown()

    def _is_idle(self) -> bool:
        return (
            not self._reading
            and not self.pipeline
            and (self.cycle is None or self.cycle.response_complete)
            and not self.flow.write_paused
            and not self.access_log
        )

    def _answered(self, answer: Answer) -> None:
        self._busy = False
        if self.transport.is_closing():
            return
        self.transport.write(_written(answer, self.server_state, closing=self._closing))
        self.server_state.total_requests += 1
        self._last_us = self.loop.time()
        if self._closing:
            self.transport.close()
            return
        if self.timeout_keep_alive_task is None:
            self._rest(self.timeout_keep_alive)
        if self._held:
            held, self._held = self._held, b""
            self.flow.resume_reading()
            self.loop.call_soon(self._resume, held)

    def _resume(self, held: bytes) -> None:
        if not self.transport.is_closing():
            self.data_received(held)

    def _rest(self, seconds: float) -> None:
        self.timeout_keep_alive_task = self.loop.call_later(
            max(seconds, 0.1), self.timeout_keep_alive_handler
        )


def _without_upgrade(data: bytes) -> bytes:
    r"""Return a request without its wish for another protocol, where its head has come as a whole.

    >>> _without_upgrade(b"POST / HTTP/1.1\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n{}")
    b'POST / HTTP/1.1\r\nConnection: Upgrade\r\n\r\n{}'
    """
    end = max(data.find(b"\r\n\r\n"), 0)
    return _UPGRADE.sub(b"", data[:end]) + data[end:]


def _plain(data: bytes, heads: dict[bytes, _Head | None]) -> Request | None:
    r"""Return the look-up that `data` is, None unless it is exactly a plain one.

    >>> _plain(b"GET /v1/features/f?user_id=u1 HTTP/1.1\r\nHost: h\r\n\r\n", {})
    Request(service='f', query=b'user_id=u1', body=b'', arrow=False)
    """
    if not data.startswith((b"POST /v1/features/", b"GET /v1/features/")):
        return None
    end = data.find(b"\r\n\r\n", 0, _LONGEST_HEAD) + 4
    if end < 4:  # noqa: PLR2004 - not found
        return None
    raw = data[:end]
    if raw in heads:
        head = heads[raw]
    else:
        if len(heads) >= _HEADS_KEPT:
            heads.clear()
        head = heads[raw] = _head(raw)
    if head is None or len(data) != end + head.length:
        return None
    return Request(head.service, head.query, data[end:], head.arrow)


def _head(raw: bytes) -> _Head | None:
    found = _PLAIN.fullmatch(raw[:-2])
    if found is None:
        return None
    method, service, query, lines = found.groups()
    headers = [(name.lower(), value) for name, value in _HEADER.findall(lines)]
    names = [name for name, _ in headers]
    values = dict(headers)
    once = names.count(b"host") == 1 and all(
        names.count(name) <= 1 for name in (b"content-length", b"accept", b"connection")
    )
    if not once or not _UNUSUAL.isdisjoint(names):
        return None
    if values.get(b"connection", b"keep-alive").lower() != b"keep-alive":
        return None
    length, is_get = values.get(b"content-length", b"0"), method == b"GET"
    if not re.fullmatch(rb"[0-9]{1,7}", length) or (is_get and int(length)):
        return None
    if not is_get and query is not None:
        return None
    arrow = ARROW in values.get(b"accept", b"").lower()
    return _Head(service.decode(), (query or b"") if is_get else None, int(length), arrow)


def _written(answer: Answer, state: ServerState, *, closing: bool) -> bytes:
    lines = [_STATUS_LINES[answer.status]]
    for name, value in (*state.default_headers, *answer.headers):
        lines.append(b"%b: %b\r\n" % (name, value))
    if closing:
        lines.append(b"connection: close\r\n")
    lines.append(
        b"content-type: %b\r\ncontent-length: %d\r\n\r\n" % (answer.content_type, len(answer.body))
    )
    lines.append(answer.body)
    return b"".join(lines)
