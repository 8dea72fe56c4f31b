"""A server of the API, spoken to in bytes."""

import json
import socket
import time
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import pyarrow as pa
import redis
import uvicorn

from featurestore import Catalog
from featurestore.aggregation.layout import Layout
from featurestore.aggregation.partial import partial
from featurestore.storage.keys import row_key, view_tag

NOW = "2026-01-31T12:00:00Z"


@dataclass
class Reply:
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class Connection:
    """One connection; knows just enough HTTP to see where an answer ends."""

    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=10)
        self.file = self.socket.makefile("rb")

    def send(self, *parts: bytes) -> None:
        for number, part in enumerate(parts):
            if number:
                time.sleep(0.03)
            self.socket.sendall(part)

    def receive(self) -> Reply:
        status = self.file.readline()
        assert status.startswith(b"HTTP/1.1 "), status
        headers = {}
        while line := self.file.readline().strip():
            name, _, value = line.decode().partition(":")
            headers[name.lower()] = value.strip()
        body = self.file.read(int(headers.get("content-length", "0")))
        return Reply(int(status.split()[1]), headers, body)

    def ends(self) -> bool:
        return self.file.read(1) == b""

    def close(self) -> None:
        self.file.close()
        self.socket.close()


@dataclass
class Api:
    port: int
    server: uvicorn.Server

    def connect(self) -> Connection:
        return Connection(self.port)

    def ask(self, *parts: bytes) -> Reply:
        connection = self.connect()
        connection.send(*parts)
        reply = connection.receive()
        connection.close()
        return reply

    def post(self, path: str, body: object, *headers: str) -> Reply:
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        return self.ask(request("POST", path, data, *headers))

    def get(self, path: str, *headers: str) -> Reply:
        return self.ask(request("GET", path, b"", *headers))


def request(method: str, path: str, body: bytes = b"", *headers: str) -> bytes:
    lines = [f"{method} {path} HTTP/1.1", "Host: localhost", *headers]
    if body or method == "POST":
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join([*lines, "", ""]).encode() + body


EVENTS = [
    ("u1", 1, 10.0, "approved", "2026-01-31T10:00:00Z"),
    ("u1", 1, 2.5, "declined", "2026-01-31T11:30:00Z"),
    ("ü 2", 7, 4.0, "approved", "2026-01-31T11:45:00.5Z"),
]


def put(url: str, catalog: Catalog, events: list[tuple[str, int, float, str, str]]) -> None:
    """Write rows as the flow does, without the flow."""
    columns = list(zip(*events, strict=True))
    at = [datetime.fromisoformat(text) for text in columns[4]]
    batch = pa.RecordBatch.from_pydict(
        {
            "payment_id": [str(number) for number in range(len(events))],
            "user_id": columns[0],
            "shop": pa.array(columns[1], pa.int64()),
            "amount": columns[2],
            "status": columns[3],
            "paid_at": pa.array(at, pa.timestamp("us", "UTC")),
        }
    )
    with redis.Redis.from_url(url) as store:
        for view in catalog.views.values():
            tags = [view_tag(view, shard) for shard in range(view.shards)]
            touched = partial(Layout.of(view), batch)
            for key, frame in zip(
                touched.keys.to_pylist(), touched.frames.to_pylist(), strict=True
            ):
                store.append(row_key(tags, key), frame)
