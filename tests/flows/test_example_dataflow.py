"""Dataflows of a user's own, run: they count each event once, whatever becomes of them."""

import os
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import bytewax.operators as op
import orjson
import pytest
from bytewax.dataflow import Dataflow
from bytewax.testing import TestingSource
from pydantic import BaseModel

from featurestore import Catalog, Entity, FeatureService, FeatureView, Stream, count, distinct, last
from featurestore.client import Client
from featurestore.errors import Fault, Fenced, SourceError, StoreUnreachable, UnknownName
from featurestore.storage.commit import Unit
from featurestore.storage.dead_letters import DeadLetters
from flows.example_dataflow import OrderLines, hide_cards, masked, orders
from flows.ingest import Ingest, block_of
from flows.sources.standard_input import StandardInput

NOON = datetime.fromisoformat("2026-01-01T12:00:00Z")


class Item(BaseModel):
    user: str
    item: str
    at: datetime


@pytest.fixture
def catalog() -> Catalog:
    view = FeatureView(
        "bought",
        stream=Stream("items", contract=Item, event_time="at"),
        entity=Entity("user", keys=["user"]),
        windows=["1h"],
        features={"items": count(), "kinds": distinct("item"), "last": last("item")},
    )
    return Catalog.of([FeatureService("s", features=[view])])


def order(user: str, *items: str, minute: int = 1) -> bytes:
    return orjson.dumps({"user": user, "at": f"2026-01-01T11:{minute:02d}:00Z", "items": items})


def write(path: Path, *lines: bytes) -> Path:
    path.write_bytes(b"".join(line + b"\n" for line in lines))
    return path


def answer(catalog: Catalog, url: str, user: str) -> dict[str, Any]:
    with Client(catalog, url) as client:
        return client.get("s", {"user": user}, as_of=NOON)


LINES = [
    order("u1", "pen", "ink", "pen"),
    order("u2"),
    b'{"user": "u1"',
    order("u2", "cap", minute=5),
    b'{"user": "u1", "items": 7}',
    order("u1", "nib", minute=9),
]


def test_a_dataflow_with_a_source_of_its_own_ends_in_the_sink(
    catalog: Catalog, redis_url: str, tmp_path: Path
) -> None:
    path = write(tmp_path / "orders.jsonl", *LINES)
    with Ingest(catalog, redis_url, {"items": ["orders"]}) as ingest:
        assert ingest.after("items", "orders") is None
        summary = ingest.run(orders(ingest, path))
    assert summary.counts == {"read": 7, "applied": 5, "malformed": 1, "invalid": 1}
    assert answer(catalog, redis_url, "u1") == {"items_1h": 4, "kinds_1h": 3, "last_1h": "nib"}
    assert answer(catalog, redis_url, "u2") == {"items_1h": 1, "kinds_1h": 1, "last_1h": "cap"}
    letters = DeadLetters(redis_url).newest("items", 10)
    assert [(letter.offset, letter.raw) for letter in reversed(letters)] == [
        (2000, LINES[2]),
        (4000, LINES[4]),
    ]


def test_run_again_over_a_longer_file_it_goes_on_where_it_was(
    catalog: Catalog, redis_url: str, tmp_path: Path
) -> None:
    path, counts = tmp_path / "orders.jsonl", []
    for lines in (LINES[:1], LINES, LINES, [*LINES, order("u1", "cap", minute=20)]):
        write(path, *lines)
        with Ingest(catalog, redis_url, {"items": ["orders"]}) as ingest:
            counts.append(ingest.run(orders(ingest, path)).counts["applied"])
    assert counts == [3, 2, 0, 1]
    assert answer(catalog, redis_url, "u1")["items_1h"] == 5


@pytest.mark.parametrize("sent", [1, 2, 4])
def test_one_that_dies_in_the_middle_of_a_commit_counts_each_event_once(
    sent: int, catalog: Catalog, redis_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    users = [f"u{n}" for n in range(40)]
    path = write(tmp_path / "orders.jsonl", *(order(user, "pen", "ink") for user in users))
    send, units = Unit.send, []

    def some(unit: Unit, *arguments: Any) -> None:
        units.append(unit)
        if len(units) > sent:
            raise StoreUnreachable(redis_url, "cut")
        send(unit, *arguments)
        unit.settle()

    with monkeypatch.context() as patch:
        patch.setattr(Unit, "send", some)
        with (
            Ingest(catalog, redis_url, {"items": ["orders"]}) as ingest,
            pytest.raises(StoreUnreachable),
        ):
            ingest.run(orders(ingest, path))
    with Ingest(catalog, redis_url, {"items": ["orders"]}) as ingest:
        ingest.run(orders(ingest, path))
    assert {answer(catalog, redis_url, user)["items_1h"] for user in users} == {2}


def test_a_dataflow_may_start_with_the_library_s_source(
    catalog: Catalog, redis_url: str, tmp_path: Path
) -> None:
    events = [
        {"user": "u1", "item": f"gift for 400000000000{n % 200:04d}", "at": "2026-01-01T11:01:00Z"}
        for n in range(700)
    ]
    path = write(tmp_path / "items.jsonl", *(orjson.dumps(event) for event in events), b"[5]")
    for expected in ({"read": 701, "applied": 700, "malformed": 1}, {}):
        with Ingest.reading(catalog, redis_url, {"items": str(path)}) as ingest:
            assert ingest.run(masked(ingest, "items")).counts == expected
    assert answer(catalog, redis_url, "u1") == {
        "items_1h": 700,
        "kinds_1h": 200,
        "last_1h": "gift for ************0199",
    }


def test_what_came_through_stdin_is_not_kept_once_it_is_committed(
    catalog: Catalog, redis_url: str
) -> None:
    reader, writer = os.pipe()
    os.write(writer, b'{"user": "u1", "item": "pen", "at": "2026-01-01T11:01:00Z"}\n')
    os.close(writer)
    stdin = StandardInput("items", reader)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("flows.ingest.parse_source", lambda *_: stdin)
        ingest = Ingest.reading(catalog, redis_url, {"items": "-"})
    with ingest:
        assert ingest.run(masked(ingest, "items")).counts == {"read": 1, "applied": 1}
    again = stdin.open("-", None).next_block(0)
    os.close(reader)
    assert again.finished
    assert again.events is None


def test_a_card_number_is_hidden_and_the_event_keeps_its_place() -> None:
    block = block_of("items", "p", [(3, b'{"card": "4000000000001234"}'), (9, b'{"n": 12345678}')])
    hidden = hide_cards(block)
    assert hidden.events is not None
    assert list(hidden.events.offsets) == [3, 9]
    assert hidden.events.documents == [b'{"card": "************1234"}', b'{"n": 12345678}']  # type: ignore[union-attr]


@pytest.fixture
def two(catalog: Catalog, redis_url: str) -> Iterator[tuple[Ingest, Ingest]]:
    partitions = {"items": ["orders"]}
    with (
        Ingest(catalog, redis_url, partitions) as first,
        Ingest(catalog, redis_url, partitions) as second,
    ):
        yield first, second


def test_one_whose_partition_was_taken_over_is_fenced_off(
    two: tuple[Ingest, Ingest], catalog: Catalog, redis_url: str, tmp_path: Path
) -> None:
    path = write(tmp_path / "orders.jsonl", *LINES)
    with pytest.raises(Fenced):
        two[0].run(orders(two[0], path))
    two[1].run(orders(two[1], path))
    assert answer(catalog, redis_url, "u1")["items_1h"] == 4


def test_a_source_that_has_no_end_learns_that_it_must_end(
    two: tuple[Ingest, Ingest], tmp_path: Path
) -> None:
    path = write(tmp_path / "orders.jsonl", *LINES)
    flow = orders(two[0], path)
    assert not two[0].stopping
    monkey = pytest.MonkeyPatch()
    seen: list[bool] = []

    def endless(lines: OrderLines) -> Any:
        seen.append(two[0].stopping)
        if two[0].stopping or len(seen) > 10_000:
            raise StopIteration
        return [[(len(seen), LINES[0])]]

    with monkey.context() as patch, pytest.raises(Fenced):
        patch.setattr(OrderLines, "next_batch", endless)
        two[0].run(flow)
    assert len(seen) < 10_000


def test_mistakes_are_told(catalog: Catalog, redis_url: str) -> None:
    with pytest.raises(UnknownName, match="did you mean 'items'"):
        Ingest.reading(catalog, redis_url, {"item": "items.jsonl"})
    with pytest.raises(SourceError, match="there is no file"):
        Ingest.reading(catalog, redis_url, {"items": "items.jsonl"})
    with Ingest(catalog, redis_url, {"items": ["orders"]}) as ingest:
        with pytest.raises(UnknownName, match=r"no partition 'order' \(has: orders\); did you"):
            ingest.after("items", "order")
        with pytest.raises(UnknownName, match="no source 'items'"):
            ingest.source("items")


@pytest.mark.parametrize(
    ("offsets", "message"),
    [
        ([], "must have events"),
        ([5, 5], "must rise, from 0 .* got 5 behind 5"),
        ([7, 5], "got 5 behind 7"),
        ([-3, -2], "got -3$"),
        ([2**63], "got 9223372036854775808$"),
    ],
)
def test_offsets_that_would_lose_events_are_refused(offsets: list[int], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        block_of("items", "orders", [(offset, b"{}") for offset in offsets])


@pytest.mark.parametrize(
    ("place", "document", "kind"),
    [
        (("items", "order"), b"{}", UnknownName),
        (("orders", "orders"), b"{}", UnknownName),
        (("items", "orders"), "{}", Fault),
    ],
)
def test_what_breaks_while_decoding_is_raised_as_what_it_is(
    place: tuple[str, str], document: Any, kind: type[Exception], catalog: Catalog, redis_url: str
) -> None:
    flow = Dataflow("own")
    blocks = op.input("in", flow, TestingSource([block_of(*place, [(1, document)])]))
    with Ingest(catalog, redis_url, {"items": ["orders"]}) as ingest:
        op.output("commit", op.map("decode", blocks, ingest.decode("items")), ingest.sink)
        with pytest.raises(kind):
            ingest.run(flow)
    assert answer(catalog, redis_url, "u1")["items_1h"] == 0
