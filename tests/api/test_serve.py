"""``featurestore serve`` as a process."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
import redis

from api.main import serve as serve_api
from featurestore.errors import FeatureStoreError
from tests.api.server import Connection, request

Start = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture
def serve(definitions: str, redis_url: str) -> Iterator[Start]:
    running = []

    def start(*options: str) -> "subprocess.Popen[str]":
        command = [sys.executable, "-m", "featurestore", "serve", definitions]
        process = subprocess.Popen(
            [*command, "--redis", redis_url, "--port", "0", *options],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        running.append(process)
        return process

    yield start
    for process in running:
        process.kill()
        process.communicate()


def port_of(process: "subprocess.Popen[str]") -> int:
    assert process.stdout is not None
    line = process.stdout.readline()
    found = re.search(r"http://127\.0\.0\.1:([0-9]+) \(documentation: .*/docs\)", line)
    assert found is not None, line
    return int(found[1])


def get(port: int, path: str) -> str:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}") as answer:
        return str(answer.read().decode())


def test_on_a_signal_it_answers_what_is_under_way_and_ends_with_0(
    serve: Start, redis_url: str
) -> None:
    process = serve()
    port = port_of(process)
    assert json.loads(get(port, "/v1/features/clicks_v1?user_id=u1"))["vectors"] == [[0]]
    connection, idle = Connection(port), Connection(port)
    idle.send(request("GET", "/v1/features/clicks_v1?user_id=u1"))
    assert idle.receive().status == 200
    with redis.Redis.from_url(redis_url) as store:
        store.client_pause(700)
        connection.send(request("GET", "/v1/features/clicks_v1?user_id=u1"))
        time.sleep(0.2)
        process.send_signal(signal.SIGTERM)
        reply = connection.receive()
    assert (reply.status, reply.headers["connection"]) == (200, "close")
    assert connection.ends()
    assert idle.ends()
    connection.close()
    idle.close()
    out, err = process.communicate(timeout=30)
    assert (process.returncode, out, err) == (0, "", "")


@pytest.mark.parametrize("processes", ["1", "2"])
def test_under_load_a_signal_loses_no_request(serve: Start, processes: str) -> None:
    process = serve("--processes", processes)
    port = port_of(process)
    with ThreadPoolExecutor(8) as clients:
        asking = [clients.submit(_ask_until_closed, port) for _ in range(8)]
        time.sleep(0.5)
        process.send_signal(signal.SIGTERM)
        answered = [each.result() for each in asking]
    assert all(set(statuses) == {200} for statuses in answered)
    out, err = process.communicate(timeout=30)
    assert (process.returncode, out, err) == (0, "", "")


def _ask_until_closed(port: int) -> list[int]:
    """Ask again once answered, until told that the connection ends; return the statuses."""
    connection, statuses, ends = Connection(port), [], False
    while not ends:
        connection.send(request("GET", "/v1/features/clicks_v1?user_id=u1"))
        reply = connection.receive()
        statuses.append(reply.status)
        ends = reply.headers.get("connection") == "close"
    connection.close()
    return statuses


@pytest.mark.parametrize("path", ["/v1/features/clicks_v1?user_id=u1", "/healthz"])
@pytest.mark.parametrize("processes", ["1", "2"])
def test_connections_that_wait_to_be_accepted_are_answered_before_it_ends(
    serve: Start, path: str, processes: str
) -> None:
    process = serve("--processes", processes)
    port = port_of(process)
    serving = [process.pid] if processes == "1" else _children(process.pid)
    for pid in serving:
        os.kill(pid, signal.SIGSTOP)
    connections = [Connection(port) for _ in range(50)]
    for connection in connections:
        connection.send(request("GET", path))
    process.send_signal(signal.SIGTERM)
    time.sleep(0.5)  # until it has told its processes
    for pid in serving:
        os.kill(pid, signal.SIGCONT)
    assert [connection.receive().status for connection in connections] == [200] * 50
    assert all(connection.ends() for connection in connections)
    for connection in connections:
        connection.close()
    assert process.wait(30) == 0


@pytest.mark.parametrize("processes", [1, 2])
def test_a_port_in_use_is_one_clear_message(processes: int, definitions: str) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        with pytest.raises(FeatureStoreError) as raised:
            serve_api(definitions, "redis://", host="127.0.0.1", port=port, processes=processes)
    assert str(raised.value) == (
        f"cannot listen on 127.0.0.1:{port}: Address already in use; choose another with --port"
    )


@pytest.mark.parametrize("host", ["300.1.1.1", "192.0.2.1"])
def test_an_address_that_is_not_ours_is_one_clear_message(host: str, definitions: str) -> None:
    with pytest.raises(FeatureStoreError, match=f"{host}:0: .*; choose another with --host$"):
        serve_api(definitions, "redis://", host=host, port=0)


def test_processes_share_a_port_and_count_together_and_one_that_dies_is_started_again(
    serve: Start,
) -> None:
    process = serve("--processes", "2")
    port = port_of(process)
    for _ in range(40):
        assert "vectors" in get(port, "/v1/features/clicks_v1?user_id=u1")
    pattern = r'requests_total\{route="/v1/features/\{service\}",status="200"\} (\d+)'
    counts = {re.search(pattern, get(port, "/metrics"))[1] for _ in range(8)}  # type: ignore[index]
    assert counts == {"40"}
    os.kill(_children(process.pid)[-1], signal.SIGKILL)
    for _ in range(40):
        assert "vectors" in get(port, "/v1/features/clicks_v1?user_id=u1")
    process.terminate()
    _, err = process.communicate(timeout=30)
    assert (process.returncode, err) == (0, "a process ended with -9; started again\n")


def test_processes_end_with_the_one_that_started_them(serve: Start) -> None:
    process = serve("--processes", "2")
    port = port_of(process)
    children = _children(process.pid)
    process.kill()
    for _ in range(100):
        with socket.socket() as connection:
            if connection.connect_ex(("127.0.0.1", port)) != 0:
                return
        time.sleep(0.1)
    for child in children:
        os.kill(child, signal.SIGKILL)
    pytest.fail("they still serve")


def _children(pid: int) -> list[int]:
    """The processes that serve, without the one that tracks resources."""
    with open(f"/proc/{pid}/task/{pid}/children") as children:  # noqa: PTH123
        found = [int(child) for child in children.read().split()]
    serving = []
    for child in found:
        with open(f"/proc/{child}/cmdline") as command:  # noqa: PTH123
            if "spawn_main" in command.read():
                serving.append(child)
    return serving
