"""A wire: how long it waits for a server to answer."""

import socket
import time

import pytest

from featurestore.errors import StoreUnreachable
from featurestore.storage.wire import Wire


def test_a_server_that_speaks_no_tls_is_waited_for_no_longer_than_to_connect(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("featurestore.storage.wire._CONNECT_SECONDS", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as deaf:  # takes connections, never answers
        started = time.monotonic()
        with pytest.raises(StoreUnreachable, match="cannot reach the store at rediss://"):
            Wire(f"rediss://127.0.0.1:{deaf.getsockname()[1]}")
    assert time.monotonic() - started < 5


def test_what_is_sent_over_an_open_wire_is_waited_for(redis_url: str) -> None:
    wire = Wire(redis_url)
    assert wire._socket.gettimeout() == 30
    assert wire.ask(b"PING") == b"PONG"
    wire.close()
