"""References in a flow: from files and hashes, refreshed, and what can be wrong with them."""

import gzip
import json
import os
from collections.abc import Callable
from datetime import date, datetime
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import pyarrow as pa
import pyarrow.csv as pacsv
import pyarrow.parquet as pq
import pytest
import redis

from featurestore import Reference
from featurestore.client import Client
from featurestore.definitions.catalog import load
from featurestore.errors import SourceError
from featurestore.storage.dead_letters import DeadLetters
from flows.main import Job, run_worker
from flows.references import LiveReferences
from flows.replay import Replay

COLUMNS = {"city": str, "risk": float, "staff": int, "open": bool, "since": date, "seen": datetime}
ROWS: list[dict[str, Any]] = [
    {"shop": "a", "city": "Rome", "risk": 0.5, "staff": 3, "open": True, "since": date(2020, 1, 1)},
    {"shop": "007", "city": None, "risk": None, "staff": None, "open": False, "since": None},
]
TABLE = pa.Table.from_pylist([{**r, "seen": datetime(2026, 1, 1, 12)} for r in ROWS])  # noqa: DTZ001


class Clock:
    now_us = 0

    def __call__(self) -> int:
        return self.now_us


def write_parquet(path: Path, table: pa.Table) -> None:
    pq.write_table(table, path)


def write_csv(path: Path, table: pa.Table) -> None:
    pacsv.write_csv(table, path)


def reference(source: Path | str, **options: Any) -> Reference:
    return Reference(
        "shops",
        **{"source": source, "key": "shop", "columns": COLUMNS, "refresh": "60s", **options},
    )


def found(references: LiveReferences, of: Reference, *keys: Any) -> list[dict[str, Any]]:
    columns = references.table(of).look_up(pa.array(keys))
    return pa.table(dict(zip(of.columns, columns, strict=True))).to_pylist()


@pytest.mark.parametrize(("ending", "write"), [("parquet", write_parquet), ("csv", write_csv)])
def test_a_file_is_looked_up_in(
    ending: str, write: Callable[[Path, pa.Table], None], tmp_path: Path
) -> None:
    path = tmp_path / f"shops.{ending}"
    write(path, TABLE.append_column("beyond", pa.array([1, 2])))
    of = reference(path)
    rows = found(LiveReferences.of([of]), of, "007", "a", "7", "a")
    assert [row["city"] for row in rows] == [None, "Rome", None, "Rome"]
    assert [row["risk"] for row in rows] == [None, 0.5, None, 0.5]
    assert [row["open"] for row in rows] == [False, True, None, True], "007 is not 7"
    assert rows[1]["since"] == date(2020, 1, 1)
    assert rows[1]["seen"].isoformat() == "2026-01-01T12:00:00+00:00"
    assert rows[1]["staff"] == 3


def test_a_hash_is_looked_up_in(redis_url: str) -> None:
    with redis.Redis.from_url(redis_url) as client:
        row = {"city": "Rome", "risk": 1, "staff": 3}
        client.hset("shops", mapping={"1": json.dumps(row), "2": json.dumps({"risk": 0.25})})
    columns = {"city": str, "risk": float, "staff": int}
    of = reference(redis_url + "/shops", columns=columns, key_type=int)
    rows = found(LiveReferences.of([of]), of, 2, 1, 3)
    assert rows == [
        {"city": None, "risk": 0.25, "staff": None},
        {"city": "Rome", "risk": 1.0, "staff": 3},
        {"city": None, "risk": None, "staff": None},
    ]


def test_a_hash_writes_instants_and_dates_as_text(redis_url: str) -> None:
    row = {"since": "2020-01-31", "seen": "2026-01-01T12:00:00+01:00"}
    with redis.Redis.from_url(redis_url) as client:
        client.hset("shops", mapping={"a": json.dumps(row)})
    of = reference(redis_url + "/shops", columns={"since": date, "seen": datetime})
    (found_row,) = found(LiveReferences.of([of]), of, "a")
    assert found_row["since"] == date(2020, 1, 31)
    assert found_row["seen"].isoformat() == "2026-01-01T11:00:00+00:00"


@pytest.mark.parametrize("name", ["shops.PARQUET", "shops.CSV", "shops.csv.GZ"])
def test_an_ending_may_be_in_capitals(name: str, tmp_path: Path) -> None:
    path = tmp_path / name
    if name.endswith("PARQUET"):
        write_parquet(path, TABLE)
    else:
        write_csv(tmp_path / "plain", TABLE)
        text = (tmp_path / "plain").read_bytes()
        path.write_bytes(gzip.compress(text) if name.endswith("GZ") else text)
    of = reference(path)
    assert found(LiveReferences.of([of]), of, "a")[0]["city"] == "Rome"


def test_a_cell_of_a_large_csv_file_may_have_lines(tmp_path: Path) -> None:
    path = tmp_path / "shops.csv"
    rows = "".join(f'{n},"number {n}\nRome"\n' for n in range(100_000))  # more than a block
    path.write_text("shop,city\n" + rows)
    of = reference(path, columns={"city": str})
    assert found(LiveReferences.of([of]), of, "77777") == [{"city": "number 77777\nRome"}]


def test_a_file_that_changes_is_read_again_once_it_is_time(tmp_path: Path) -> None:
    path, clock = tmp_path / "shops.parquet", Clock()
    write_parquet(path, TABLE)
    of = reference(path)
    references = LiveReferences.of([of], clock)
    before = references.table(of)
    clock.now_us = 60_000_000
    assert references.table(of) is before, "it has not changed"
    write_parquet(path, TABLE.set_column(1, "city", pa.array(["Milan", "Bari"])))
    assert references.table(of) is before, "it is not yet time"
    clock.now_us = 120_000_000
    assert [row["city"] for row in found(references, of, "a", "007")] == ["Milan", "Bari"]


def test_one_that_is_never_refreshed_stays(tmp_path: Path) -> None:
    path, clock = tmp_path / "shops.parquet", Clock()
    write_parquet(path, TABLE)
    of = reference(path, refresh=None)
    references = LiveReferences.of([of], clock)
    path.unlink()
    clock.now_us = 2**60
    assert len(references.table(of).places) == 2


def test_a_version_that_cannot_be_read_is_said_and_the_one_before_stays(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path, clock = tmp_path / "shops.parquet", Clock()
    write_parquet(path, TABLE)
    of = reference(path)
    references = LiveReferences.of([of], clock)
    path.write_bytes(b"half a file")
    clock.now_us += 60_000_000
    assert found(references, of, "a")[0]["city"] == "Rome"
    said = capsys.readouterr().err
    assert said.startswith("featurestore: reference 'shops' (shops.parquet): ")
    assert "its rows of before are used" in said
    os.remove(path)  # noqa: PTH107 - as whoever writes it might
    clock.now_us += 60_000_000
    assert found(references, of, "a")[0]["city"] == "Rome"
    assert "No such file" in capsys.readouterr().err
    write_parquet(path, TABLE.slice(1))
    clock.now_us += 60_000_000
    assert found(references, of, "a")[0]["city"] is None


def test_one_that_could_not_be_read_is_tried_again_though_it_did_not_change(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    path, clock = tmp_path / "shops.parquet", Clock()
    write_parquet(path, TABLE)
    of = reference(path)
    references = LiveReferences.of([of], clock)
    write_parquet(path, TABLE.set_column(1, "city", pa.array(["Milan", "Bari"])))
    with monkeypatch.context() as away:
        away.setattr(pq, "ParquetFile", Mock(side_effect=PermissionError(13, "Permission denied")))
        clock.now_us += 60_000_000
        assert found(references, of, "a")[0]["city"] == "Rome"
    assert "Permission denied; its rows of before are used" in capsys.readouterr().err
    clock.now_us += 60_000_000
    assert found(references, of, "a")[0]["city"] == "Milan"


@pytest.mark.parametrize(
    ("name", "content", "problem"),
    [
        ("none.csv", None, "reference 'shops' \\(none.csv\\): .*No such file"),
        ("none.parquet", None, "No such file"),
        ("bad.parquet", b"no parquet", "reference 'shops' \\(bad.parquet\\)"),
        ("less.csv", b"shop,city\na,Rome\n", "there is no column 'risk' .has: shop, city"),
        ("text.csv", b"shop,city,risk\na,Rome,much\n", "invalid value 'much'"),
        ("twice.csv", b"shop,city,risk\na,Rome,1\na,Bari,2\n", "'a' stands in rows 0 and 1"),
        ("empty.csv", b"", "Empty CSV file"),
        ("day.csv", b"shop,city,risk,seen\na,Rome,1,soon\n", "column 'seen', row 0: 'soon' is no"),
        ("again.csv", b"shop,risk,city,city\na,1,Rome,Bari\n", "'city' stands there twice"),
        ("ragged.csv", b"shop,city,risk\na,Rome\n", "Expected 3 columns, got 2"),
    ],
)
def test_a_flow_does_not_start_with_a_table_that_is_wrong(
    name: str, content: bytes | None, problem: str, tmp_path: Path
) -> None:
    if content is not None:
        (tmp_path / name).write_bytes(content)
    columns = {"city": str, "risk": float} | ({"seen": datetime} if name == "day.csv" else {})
    of = reference(tmp_path / name, columns=columns)
    with pytest.raises(SourceError, match=problem):
        LiveReferences.of([of])


@pytest.mark.parametrize(
    ("column", "fields", "problem"),
    [
        (float, {}, "there is no hash 'shops'"),
        (float, {"a": "{"}, "field 'a': unexpected end"),
        (float, {"a": "7"}, "field 'a' must be a JSON object, got '7'"),
        (float, {"a": '{"risk": "high"}'}, "field 'a': risk must be float, got 'high'"),
        (int, {"a": '{"risk": 1.5}'}, "field 'a': risk must be int, got 1.5"),
        (int, {"a": '{"risk": 9223372036854775808}'}, "field 'a': risk must be int, got 9223"),
        (str, {"a": '{"risk": 5}'}, "field 'a': risk must be str, got 5"),
        (datetime, {"a": '{"risk": 1767268800}'}, "field 'a': risk must be datetime, got 17672"),
    ],
)
def test_nor_with_a_hash_that_is_wrong(
    column: type, fields: dict[str, str], problem: str, redis_url: str
) -> None:
    with redis.Redis.from_url(redis_url) as client:
        if fields:
            client.hset("shops", mapping=fields)
    of = reference(redis_url + "/shops", columns={"risk": column})
    with pytest.raises(SourceError, match=problem) as caught:
        LiveReferences.of([of])
    assert "redis://" not in str(caught.value), "a password may stand there"


def test_nor_with_keys_of_a_hash_that_are_no_ints_nor_with_what_is_no_hash(redis_url: str) -> None:
    with redis.Redis.from_url(redis_url) as client:
        client.hset("shops", mapping={str(2**64): "{}"})
        client.set("text", "{}")
    wide = reference(redis_url + "/shops", columns={"risk": float}, key_type=int)
    with pytest.raises(SourceError, match=r"column 'shop' is string and no int: .*18446744"):
        LiveReferences.of([wide])
    with pytest.raises(SourceError, match="'text' is a string, and no hash"):
        LiveReferences.of([reference(redis_url + "/text")])


def test_nor_without_the_store_of_a_hash_and_a_password_is_not_told() -> None:
    of = reference("redis://me:secret@127.0.0.1:1/0/shops", columns={"risk": float})
    with pytest.raises(SourceError, match="cannot reach the store") as caught:
        LiveReferences.of([of])
    assert "secret" not in str(caught.value)


DEFINITIONS = """
from datetime import datetime
from pathlib import Path

import pyarrow.compute as pc
from pydantic import BaseModel

from featurestore import (
    Entity, FeatureService, FeatureView, Reference, Stream, column, count, total,
)


class Sale(BaseModel):
    sale_id: str
    shop: str
    cents: int
    at: datetime


def in_euros(batch):
    if pc.any(pc.equal(batch.column("cents"), LIMIT)).as_py():
        raise ValueError("odd cents")
    return batch.append_column("euros", pc.divide(batch.column("cents").cast("float64"), 100.0))


LIMIT = 999
shops = Reference("shops", source=Path(__file__).with_name("shops.csv"), key="shop",
                  columns={"city": str, "rate": float})
sales = Stream("sales", contract=Sale, event_time="at", event_id="sale_id", transforms=[in_euros],
               enrich=[shops.on("shop")], derive={"tax": column("euros") * column("shops.rate")},
               where=column("cents") != 0)
by_city = FeatureView("by_city", stream=sales, entity=Entity("city", keys=["shops.city"]),
                      windows=["1h"], features={"n": count(), "tax": total("tax")})
service = FeatureService("s", features=[by_city])
"""


@pytest.fixture
def definitions(tmp_path: Path) -> str:
    (tmp_path / "shops.csv").write_text("shop,city,rate\na,Rome,0.5\nb,Rome,2\nc,Bari,1\n")
    (tmp_path / "shop_features.py").write_text(DEFINITIONS)
    return str(tmp_path / "shop_features.py")


def sales(*of: tuple[str, int]) -> str:
    events = [
        {"sale_id": f"s{n}", "shop": shop, "cents": cents, "at": f"2026-01-01T12:00:{n:02d}Z"}
        for n, (shop, cents) in enumerate(of)
    ]
    return "".join(json.dumps(event) + "\n" for event in events)


def test_a_flow_shapes_what_it_reads_and_its_dead_letters_can_be_replayed(
    definitions: str, tmp_path: Path, redis_url: str
) -> None:
    source = tmp_path / "sales.jsonl"
    source.write_text(sales(("a", 100), ("b", 50), ("c", 200), ("z", 5), ("a", 999), ("c", 0)))
    job = Job(definitions, [("sales", str(source))], redis_url, until_end=True)
    summary = run_worker(job)
    assert summary.lines()[:2] == ["read 6", "applied 4"]
    assert summary.lines()[-1] == "filtered 1"
    catalog = load(definitions)
    rome, noon = {"shops.city": "Rome"}, 1_767_268_859_000_000
    with Client(catalog, redis_url) as client:
        assert client.get("s", rome, as_of=noon) == {"n_1h": 2, "tax_1h": 1.5}
        assert client.get("s", {"shops.city": "Bari"}, as_of=noon) == {"n_1h": 1, "tax_1h": 2.0}
        (letter,) = DeadLetters(redis_url).newest("sales", 10)
        assert letter.detail == "transform in_euros raised ValueError: odd cents"
        assert letter.reason == "invalid"
        again = Replay(catalog, catalog.stream("sales"), redis_url, lambda: noon)
        replayed = again.run(lambda _: True, lambda old: old.raw.replace(b"999", b"1000"))
        assert replayed.counts["applied"] == 1
        assert client.get("s", rome, as_of=noon) == {"n_1h": 3, "tax_1h": 6.5}
    assert run_worker(job).counts == {}, "all of it is behind the watermark, filtered ones too"


def test_a_flow_ends_with_a_message_when_a_reference_is_missing(
    definitions: str, tmp_path: Path, redis_url: str
) -> None:
    (tmp_path / "shops.csv").unlink()
    (tmp_path / "sales.jsonl").write_text(sales(("a", 1)))
    job = Job(definitions, [("sales", str(tmp_path / "sales.jsonl"))], redis_url, until_end=True)
    with pytest.raises(SourceError, match=r"reference 'shops' \(shops.csv\): .*No such"):
        run_worker(job)
