"""A TCP proxy that cuts connections in the middle, and can be turned to another server."""

import random
import select
import socket
import threading
from collections.abc import Callable


class Proxy:
    """Stands between a flow and its store.

    Args:
        port: Where the store listens on loopback; can be changed while it runs.
        budget: Returns after how many bytes, of all connections together and both ways, the one
            that is busy then is cut; None: never.
    """

    def __init__(self, port: int, budget: Callable[[], int | None] = lambda: None) -> None:
        self.port, self.cuts = port, 0
        self._budget, self._left, self._lock = budget, budget(), threading.Lock()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._listener.settimeout(0.05)
        self._open: list[socket.socket] = []
        self._closed = False
        self.url = f"redis://127.0.0.1:{self._listener.getsockname()[1]}/0"
        self._threads = [threading.Thread(target=self._accept)]
        self._threads[0].start()

    def cut_all(self) -> None:
        for end in list(self._open):
            end.close()

    def close(self) -> None:
        self._closed = True
        for thread in list(self._threads):
            thread.join(5)
        self._listener.close()

    def _accept(self) -> None:
        while not self._closed:
            try:
                here, _ = self._listener.accept()
            except TimeoutError:
                continue
            try:
                there = socket.create_connection(("127.0.0.1", self.port), 2)
            except OSError:
                here.close()
                continue
            self._open += [here, there]
            self._threads.append(threading.Thread(target=self._serve, args=(here, there)))
            self._threads[-1].start()

    def _serve(self, here: socket.socket, there: socket.socket) -> None:
        other = {here: there, there: here}
        try:
            while not self._closed:
                for end in select.select([here, there], [], [], 0.1)[0]:
                    data = end.recv(1 << 16)
                    allowed = self._spend(len(data))
                    other[end].sendall(data[:allowed])
                    if not data or allowed < len(data):
                        return
        except (OSError, ValueError):
            return  # the other side is gone, or it was cut
        finally:
            here.close()
            there.close()

    def _spend(self, size: int) -> int:
        """Return how many of some bytes may still pass before the connection is cut."""
        with self._lock:
            if self._left is None or size < self._left:
                self._left = self._left - size if self._left is not None else None
                return size
            allowed, self._left = self._left, self._budget()
            self.cuts += 1
            return allowed


def cutting(seed: int, cuts: int, largest: int) -> Callable[[], int | None]:
    """Return budgets for some cuts; then connections live."""
    draw = random.Random(seed)
    budgets = [draw.randrange(1, largest) for _ in range(cuts)]
    return lambda: budgets.pop() if budgets else None
