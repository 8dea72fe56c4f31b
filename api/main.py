"""Running the API: the composition root of the reading side.

The one place in it that reads the environment:

``FEATURESTORE_EVENTS_WAITING``  how many events a stream may hold that no flow has committed
``FEATURESTORE_STORE_DEADLINE``  how many seconds the store may take to answer
"""

import asyncio
import contextlib
import errno
import gc
import multiprocessing
import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from multiprocessing.connection import wait
from multiprocessing.context import SpawnProcess
from types import FrameType
from typing import Any

import uvicorn
from fastapi import FastAPI

from api.app import Limits, create_app
from api.metrics import SIZE, Metrics
from api.protocol import HotProtocol
from featurestore.definitions.catalog import load, path_without_definitions
from featurestore.errors import FeatureStoreError

KEEP_ALIVE_SECONDS = 75
DRAIN_SECONDS = 30
_BACKLOG = 2048
_GARBAGE = 50_000  # objects more than before, until the collector looks for cycles


def serve(definitions: str, url: str, *, host: str, port: int, processes: int = 1) -> None:
    """Serve the definitions over HTTP until SIGTERM or SIGINT; what is under way is answered.

    Args:
        definitions: Path or module of the definitions.
        url: The store.
        host: The address to listen on.
        port: The port; 0 takes a free one.
        processes: How many processes share the port.

    Raises:
        FeatureStoreError: The address cannot be listened on, or a process cannot start.
    """
    limits = _limits()
    sockets = _listening(host, port, processes)
    place = f"http://{_written(host)}:{sockets[0].getsockname()[1]}"

    def say() -> None:
        sys.stdout.write(f"featurestore answers on {place} (documentation: {place}/docs)\n")
        sys.stdout.flush()

    if processes == 1:
        _run(definitions, url, limits, Metrics.alone(), sockets[0], say)
    else:
        _supervise(definitions, url, limits, sockets, say)


def _limits() -> Limits:
    """Read the settings from the environment."""
    given = Limits()
    return Limits(
        events_waiting=_number("FEATURESTORE_EVENTS_WAITING", given.events_waiting),
        deadline=_number("FEATURESTORE_STORE_DEADLINE", given.deadline),
    )


def _number(name: str, default: Any) -> Any:
    text = os.environ.get(name)
    try:
        return default if text is None else type(default)(text)
    except ValueError as error:
        msg = f"{name} must be a number, got {text!r}"
        raise FeatureStoreError(msg) from error


def _written(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def _listening(host: str, port: int, processes: int) -> list[socket.socket]:
    """Return a bound socket for each process.

    One process has the port for itself. Several bind one each to the same port, so that the
    kernel spreads connections evenly; that no one else has it is found out first.
    """
    try:
        first = _bound(host, port, shared=False)
        if processes == 1:
            return [first]
        port = first.getsockname()[1]
        first.close()
        return [_bound(host, port, shared=True) for _ in range(processes)]
    except OSError as error:
        reason = error.strerror or error
        option = "--port" if error.errno in (errno.EADDRINUSE, errno.EACCES) else "--host"
        msg = f"cannot listen on {_written(host)}:{port}: {reason}; choose another with {option}"
        raise FeatureStoreError(msg) from error


def _bound(host: str, port: int, *, shared: bool) -> socket.socket:
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    family, kind, protocol, _, address = found[0]
    bound = socket.socket(family, kind, protocol)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if shared:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    try:
        bound.bind(address)
        bound.listen(_BACKLOG)
    except OSError:
        bound.close()
        raise
    return bound


class _Server(uvicorn.Server):
    """uvicorn's server, which tells when it is ready and ends by itself on a signal.

    uvicorn raises the signal again once it has drained, so that the exit code would be 143; and
    closes the listening socket with connections in it that clients take for accepted.
    """

    def __init__(self, config: uvicorn.Config, ready: Callable[[], None]) -> None:
        super().__init__(config)
        self._ready = ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            _spare_the_collector()
            self._ready()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        for listening in sockets or []:
            await self._accept_what_waits(listening)
        asyncio.get_running_loop().call_soon(self._end_connections)  # those just accepted, too
        await super().shutdown(sockets)

    def _end_connections(self) -> None:
        for connection in list(self.server_state.connections):
            connection.shutdown()

    async def _accept_what_waits(self, listening: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        with contextlib.suppress(BlockingIOError):
            while True:
                accepted, _ = listening.accept()
                await loop.connect_accepted_socket(self._protocol, accepted)

    def _protocol(self) -> HotProtocol:
        return HotProtocol(self.config, self.server_state, self.lifespan.state)

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        with _signals(self.handle_exit):
            yield


def _spare_the_collector() -> None:
    """Keep what is loaded out of garbage collection, which took a fifth of a request's time.

    Requests make no cycles; what little does is still collected, less often.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(_GARBAGE)


@contextlib.contextmanager
def _signals(handler: Callable[[int, FrameType | None], None]) -> Iterator[None]:
    before = {s: signal.signal(s, handler) for s in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield
    finally:
        for number, old in before.items():
            signal.signal(number, old)


def _run(  # noqa: PLR0917 - what a process is handed
    definitions: str,
    url: str,
    limits: Limits,
    metrics: Metrics,
    listening: socket.socket,
    ready: Callable[[], None],
) -> None:
    """Serve in this process until told to stop."""
    config = configured(create_app(load(definitions), url, metrics, limits))
    _Server(config, ready).run(sockets=[listening])


def configured(app: FastAPI) -> uvicorn.Config:
    """Return how uvicorn runs the app: look-ups before ASGI, no access log, long keep-alive."""
    return uvicorn.Config(
        app,
        http=HotProtocol,
        ws="none",
        loop="uvloop",
        lifespan="on",
        log_level="warning",
        access_log=False,
        server_header=False,
        proxy_headers=False,
        backlog=_BACKLOG,
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=DRAIN_SECONDS,
    )


def _supervise(
    definitions: str,
    url: str,
    limits: Limits,
    sockets: Sequence[socket.socket],
    say: Callable[[], None],
) -> None:
    """Run a process per socket; one that dies is started again."""
    spawn = multiprocessing.get_context("spawn")
    cells = [spawn.RawArray("d", SIZE) for _ in sockets]
    with path_without_definitions():  # a process is started that watches over it
        ready = spawn.Semaphore(0)

    def start(number: int) -> SpawnProcess:
        job = (definitions, url, limits, number, cells, sockets[number], ready)
        process = spawn.Process(target=_worker, args=job)
        with path_without_definitions():
            process.start()
        return process

    stopping: list[int] = []
    with _signals(lambda number, _: stopping.append(number)):
        running = [start(number) for number in range(len(sockets))]
        waiting = len(running)
        while not stopping:
            if waiting and ready.acquire(timeout=0.2):
                waiting -= 1
                if not waiting:
                    say()
            elif not waiting:
                time.sleep(0.2)
            for number, process in enumerate(running):
                if process.is_alive() or stopping:
                    continue
                if waiting:
                    _stop(running, sockets)
                    msg = f"a process of the API ended with {process.exitcode} before it was ready"
                    raise FeatureStoreError(msg)
                sys.stderr.write(f"a process ended with {process.exitcode}; started again\n")
                running[number], waiting = start(number), 0
                time.sleep(1)
        _stop(running, sockets)


def _stop(processes: Sequence[SpawnProcess], sockets: Sequence[socket.socket]) -> None:
    for (
        listening
    ) in sockets:  # theirs are copies: while ours were open, clients could still connect
        listening.close()
    for process in processes:
        process.terminate()
    for process in processes:
        process.join()


def _worker(  # noqa: PLR0917 - what a process is handed
    definitions: str,
    url: str,
    limits: Limits,
    number: int,
    cells: Sequence[Any],
    listening: socket.socket,
    ready: Any,
) -> None:
    threading.Thread(target=_end_with_parent, daemon=True).start()
    _run(definitions, url, limits, Metrics(cells[number], cells), listening, ready.release)


def _end_with_parent() -> None:
    """End this process once the one that started it was killed: nobody else would, ever."""
    parent = multiprocessing.parent_process()
    assert parent is not None
    wait([parent.sentinel])
    os.kill(os.getpid(), signal.SIGTERM)
