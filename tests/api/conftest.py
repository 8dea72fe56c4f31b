"""Definitions and servers for the tests of the API."""

import socket
import threading
import time
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Literal

import pytest
import uvicorn
from pydantic import BaseModel

from api.app import Limits, create_app
from api.main import configured
from featurestore import (
    Catalog,
    Entity,
    FeatureService,
    FeatureView,
    Stream,
    count,
    last,
    maximum,
    mean,
    total,
)
from tests.api.server import EVENTS, Api, put
from tests.conftest import Server


class Payment(BaseModel):
    payment_id: str
    user_id: str
    shop: int
    amount: float
    status: Literal["approved", "declined"]
    paid_at: datetime


@pytest.fixture
def catalog() -> Catalog:
    stream = Stream("payments", contract=Payment, event_time="paid_at", event_id="payment_id")
    users = FeatureView(
        "users",
        stream=stream,
        entity=Entity("user", keys=["user_id"]),
        windows=["1h", "1d"],
        features={
            "payments": count(),
            "spent": total("amount"),
            "status": last("status"),
            "seen": maximum("paid_at"),
        },
    )
    shops = FeatureView(
        "shops",
        stream=stream,
        entity=Entity("shop", keys=["shop"]),
        windows=["1d"],
        features={"average": mean("amount")},
    )
    both = FeatureService(
        "both", features=[users.select("spent_1h"), shops, users.select("seen_1d")]
    )
    return Catalog.of([FeatureService("users_v1", features=[users]), both])


@pytest.fixture
def start(catalog: Catalog) -> Iterator[Callable[..., Api]]:
    """Starts servers in threads; stops them afterwards."""
    running: list[tuple[uvicorn.Server, threading.Thread]] = []

    def start(url: str, limits: Limits | None = None, keep_alive: float = 75) -> Api:
        listening = socket.socket()
        listening.bind(("127.0.0.1", 0))
        listening.listen(100)
        config = configured(create_app(catalog, url, limits=limits))
        config.timeout_keep_alive = keep_alive  # type: ignore[assignment]
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, args=([listening],))
        thread.start()
        running.append((server, thread))
        while not server.started:
            time.sleep(0.005)
        return Api(listening.getsockname()[1], server)

    yield start
    for server, thread in running:
        server.should_exit = True
        thread.join()


@pytest.fixture
def api(redis_url: str, catalog: Catalog, start: Callable[..., Api]) -> Api:
    """A server whose store has a few events."""
    put(redis_url, catalog, EVENTS)
    return start(redis_url)


@pytest.fixture
def definitions(tmp_path: Path) -> str:
    """A file of definitions."""
    path = tmp_path / "features.py"
    path.write_text(
        "from datetime import datetime\n"
        "from pydantic import BaseModel\n"
        "from featurestore import Entity, FeatureService, FeatureView, Stream, count\n"
        "class Click(BaseModel):\n"
        "    user_id: str\n"
        "    at: datetime\n"
        "clicks = Stream('clicks', contract=Click, event_time='at')\n"
        "views = FeatureView('views', stream=clicks, entity=Entity('user', keys=['user_id']),\n"
        "                    windows=['1h'], features={'clicks': count()})\n"
        "service = FeatureService('clicks_v1', features=[views])\n"
    )
    return str(path)


@pytest.fixture
def make_server() -> Iterator[Callable[[Path], Server]]:
    """Starts stores of their own, which a test may kill."""
    made: list[Server] = []

    def make(folder: Path) -> Server:
        made.append(Server(folder))
        return made[-1]

    yield make
    for server in made:
        server.kill()
