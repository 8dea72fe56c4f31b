"""The open-loop load against servers whose slowness is known."""

import asyncio
import shutil
import threading
import time
from collections.abc import Callable, Iterator

import numpy as np
import pytest

from benchmarks.harness.load import Asks
from benchmarks.harness.open_loop import COMPILER, asked_at, typical_p99

OK = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}"
ASKS = Asks("/", [b"{}", b'{"as_of": null}'])

Serve = Callable[..., int]

pytestmark = pytest.mark.skipif(shutil.which(COMPILER) is None, reason="needs a C compiler")


class Fake(asyncio.Protocol):
    """Answers after `delay` s; before one of the requests it does nothing at all for a while."""

    asked = 0

    def __init__(self, delay: float, stalls_at: int, stall: float, answer: bytes) -> None:
        self.delay, self.stalls_at, self.stall, self.answer = delay, stalls_at, stall, answer

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport: asyncio.Transport = transport  # type: ignore[assignment]

    def data_received(self, data: bytes) -> None:
        Fake.asked += 1
        if Fake.asked == self.stalls_at:
            time.sleep(self.stall)
        if self.delay:
            loop = asyncio.get_running_loop()
            loop.call_later(self.delay, self.transport.write, self.answer)
        else:
            self.transport.write(self.answer)


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Starts a server in a thread; stops it afterwards."""
    loop, servers = asyncio.new_event_loop(), []
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    Fake.asked = 0

    def start(
        delay: float = 0.0, stalls_at: int = 0, stall: float = 0.0, answer: bytes = OK
    ) -> int:
        made = loop.create_server(lambda: Fake(delay, stalls_at, stall, answer), "127.0.0.1", 0)
        servers.append(asyncio.run_coroutine_threadsafe(made, loop).result())
        return int(servers[0].sockets[0].getsockname()[1])

    yield start
    for server in servers:
        loop.call_soon_threadsafe(server.close)
    loop.call_soon_threadsafe(loop.call_later, 0.1, loop.stop)  # connections end meanwhile
    thread.join()
    loop.close()


def test_a_stall_counts_for_every_request_that_was_due_meanwhile(serve: Serve) -> None:
    port = serve(stalls_at=500, stall=0.1)

    took = asked_at(np.arange(1000) / 1000, port, ASKS, connections=4)

    assert len(took) == 1000
    assert np.percentile(took, 99) > 0.05
    assert (took > 0.05).sum() >= 40  # 1,000/s for the first half of it; a closed loop has 4
    assert np.median(took) < 0.05


def test_a_delay_is_what_it_says(serve: Serve) -> None:
    took = asked_at(np.arange(100) / 1000, serve(delay=0.05), ASKS, connections=100)

    assert took.min() >= 0.049  # timers of asyncio may be a millisecond early
    assert np.median(took) < 0.5


def test_time_runs_while_a_request_waits_for_a_connection(serve: Serve) -> None:
    took = asked_at(np.zeros(3), serve(delay=0.05), ASKS, connections=1)

    assert (took >= [0.049, 0.098, 0.147]).all()


def test_an_answer_that_is_not_200_ends_it(serve: Serve) -> None:
    port = serve(answer=b"HTTP/1.1 503 Service Unavailable\r\ncontent-length: 2\r\n\r\n{}")

    with pytest.raises(RuntimeError, match=r"not answered with 200: HTTP/1\.1 503"):
        asked_at(np.zeros(1), port, ASKS, connections=1)


def test_a_stall_is_no_typical_tenth_of_a_second() -> None:
    took = np.full(10_000, 0.001)
    took[4_000:4_500] = 0.05  # one of twenty

    assert typical_p99(took, seconds=2) == pytest.approx(1)
    assert np.percentile(took, 99) == 0.05


def test_what_is_slow_in_every_tenth_of_a_second_is_typical() -> None:
    took = np.full(10_000, 0.001)
    took[::50] = 0.05

    assert typical_p99(took, seconds=2) == pytest.approx(50)
