"""The store for tests of definitions: what it takes and answers; that it is the real thing."""

import gzip
import json
import subprocess
import sys
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.csv as pacsv
import pyarrow.parquet as pq
import pytest
from pydantic import BaseModel

from featurestore import (
    Catalog,
    Entity,
    FeatureService,
    FeatureView,
    Reference,
    Stream,
    column,
    count,
    distinct,
    total,
)
from featurestore.client import Client
from featurestore.contracts.rejection import Reason
from featurestore.errors import BadEntity, DefinitionError, SourceError, UnknownName
from featurestore.testing import Store
from tests.conftest import Payment
from tests.hand_flow import HandFlow

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


def paid(number: int, at: Any = NOON, **values: Any) -> dict[str, Any]:
    event = {"payment_id": f"p{number}", "user_id": "u1", "merchant_id": "m1", "amount": 5.0}
    return {**event, "status": "approved", "paid_at": at, **values}


def spent(store: Store, as_of: Any = None, user: str = "u1") -> Any:
    return store.get("fraud_v1", user_id=user, merchant_id="m1", as_of=as_of)["spent_1h"]


def test_rows_are_fed_and_a_vector_is_read(payments: Catalog) -> None:
    store = Store(payments)
    assert store.feed("payments", [paid(1), paid(2, amount=7.5)]) == {"read": 2, "applied": 2}
    assert spent(store, as_of="2026-01-01T12:30:00Z") == 12.5
    assert spent(store, as_of=NOON + timedelta(hours=1)) is None
    assert spent(store, as_of=NOON - timedelta(microseconds=1)) is None
    assert store.rejected("payments") == []


def test_the_clock_follows_the_events_until_it_is_put_somewhere(payments: Catalog) -> None:
    store = Store(payments)
    assert store.now == datetime(1970, 1, 1, tzinfo=UTC)
    store.feed("payments", [paid(1), paid(2, NOON + timedelta(minutes=50)), paid(3)])
    assert store.now == NOON + timedelta(minutes=50)
    assert spent(store) == 15.0
    store.advance("10m")
    assert spent(store) == 5.0
    store.move_to(NOON)
    assert (store.now, spent(store)) == (NOON, 10.0)
    fed = store.feed("payments", paid(4, NOON + timedelta(minutes=2)))
    assert fed == {"read": 1, "future": 1}
    assert store.now == NOON


def test_a_view_with_an_event_clock_goes_by_its_own_stream(payments: Catalog) -> None:
    class Click(BaseModel):
        user_id: str
        at: datetime

    (view,) = (view for view in payments.views.values() if view.name == "user_payments")
    clicks = FeatureView(
        "clicks",
        stream=Stream("clicks", contract=Click, event_time="at"),
        entity=view.entity,
        windows=["1h"],
        features={"clicks": count()},
    )
    store = Store(FeatureService("s", features=[replace(view, clock="event"), clicks]))
    later = NOON + timedelta(hours=3)
    store.feed("payments", paid(1))
    store.feed("clicks", {"user_id": "u1", "at": later})
    vectors = store.vectors("s", [{"user_id": "u1"}])
    assert vectors.clocks == {"payments": int(NOON.timestamp() * 1e6)}

    def values(as_of: Any = None) -> tuple[Any, Any]:
        got = store.get("s", user_id="u1", as_of=as_of)
        return got["spent_1h"], got["clicks_1h"]

    assert values() == (5.0, 1)
    store.advance("1h")
    assert values() == (5.0, 0)
    assert values(as_of=later) == (None, 1)


def test_a_clock_that_stands_rejects_what_is_ahead_of_it(payments: Catalog) -> None:
    store = Store(payments, now=NOON)
    within, beyond = NOON + timedelta(minutes=1), NOON + timedelta(minutes=1, microseconds=1)
    assert store.feed("payments", [paid(1, within), paid(2, beyond)]) == {
        "read": 2,
        "applied": 1,
        "future": 1,
    }
    (rejection,) = store.rejected("payments")
    assert rejection.reason is Reason.FUTURE
    assert json.loads(rejection.raw)["payment_id"] == "p2"


def test_late_events_are_rejected_as_in_the_flow(payments: Catalog) -> None:
    store = Store(payments)
    store.feed("payments", [paid(n, NOON + timedelta(seconds=n)) for n in range(5)])
    fed = store.feed("payments", [paid(9, NOON - timedelta(days=15))])
    assert fed == {"read": 1, "late": 1}
    other = store.feed("payments", [paid(9, NOON - timedelta(days=15))], partition="other")
    assert other == {"read": 1, "applied": 1}, "each partition has a frontier of its own"


def test_bad_events_are_kept_with_reasons_and_the_others_count(payments: Catalog) -> None:
    store = Store(payments)
    fed = store.feed("payments", [paid(1), paid(2, amount=-1), b"{", "[]", paid(3, status="odd")])
    assert fed == {"read": 5, "applied": 1, "invalid": 2, "malformed": 2}
    rejected = store.rejected("payments")
    assert [r.offset for r in rejected] == [1, 2, 3, 4]
    assert "amount" in rejected[0].detail
    store.feed("payments", paid(9))
    assert store.counts("payments") == {"read": 6, "applied": 2, "invalid": 2, "malformed": 2}


def forms(folder: Path) -> dict[str, Any]:
    """The same three payments in every form that a test may have them in."""
    rows = [paid(n, NOON + timedelta(minutes=n), amount=n + 0.5) for n in range(3)]
    written = [{**row, "paid_at": row["paid_at"].isoformat()} for row in rows]
    table, lines = pa.Table.from_pylist(rows), "".join(json.dumps(w) + "\n" for w in written)
    (folder / "p.jsonl").write_text(lines)
    (folder / "p.jsonl.gz").write_bytes(gzip.compress(lines.encode()))
    pq.write_table(table, folder / "p.parquet")
    pacsv.write_csv(table, folder / "p.csv")
    frame = pd.DataFrame(rows)
    return {
        "dicts": rows,
        "written dicts": written,
        "a generator": (row for row in rows),
        "decimals": [{**row, "amount": Decimal(str(row["amount"]))} for row in rows],
        "models": [Payment(**row) for row in rows],
        "documents": [json.dumps(w) for w in written],
        "bytes": [json.dumps(w).encode() for w in written],
        "JSON lines": lines,
        "JSON lines without an end": lines.rstrip("\n").encode(),
        "an Arrow table": table,
        "a record batch": table.to_batches()[0],
        "a frame": frame,
        "a frame with an index": frame.set_index("payment_id", drop=False).rename_axis(None),
        "a filtered frame": pd.concat([frame, frame])[lambda f: ~f.index.duplicated()],
        **{f"a file {path.suffix}": path for path in folder.iterdir()},
    }


def test_every_form_of_events_gives_the_same(tmp_path: Path, payments: Catalog) -> None:
    for name, events in forms(tmp_path).items():
        store = Store(payments)
        assert store.feed("payments", events) == {"read": 3, "applied": 3}, name
        assert spent(store) == 4.5, name
        again = paid(7, NOON + timedelta(minutes=2))
        assert store.feed("payments", again) == {"read": 1, "applied": 1}, name
        assert spent(store) == 9.5, name


def test_nothing_is_nothing(payments: Catalog) -> None:
    store = Store(payments)
    for nothing in ([], "", b"\n\n", pa.table({"user_id": pa.array([], pa.string())})):
        assert store.feed("payments", nothing) == {}
    assert spent(store) is None


def test_a_file_counts_once_however_often_it_is_fed(tmp_path: Path, payments: Catalog) -> None:
    path = tmp_path / "p.jsonl"
    path.write_text(json.dumps(paid(1), default=str) + "\n")
    store = Store(payments)
    store.feed("payments", path)
    assert store.feed("payments", path) == {}
    with path.open("a") as file:
        file.write(json.dumps(paid(2), default=str) + "\n")
    assert store.feed("payments", path) == {"read": 1, "applied": 1}
    assert spent(store) == 10.0
    with pytest.raises(SourceError, match="there is no file"):
        store.feed("payments", tmp_path / "none.jsonl")


def test_mistakes_are_told(payments: Catalog) -> None:
    store = Store(payments)
    with pytest.raises(UnknownName, match="did you mean 'payments'"):
        store.feed("payment", paid(1))
    with pytest.raises(UnknownName, match="there is no stream 'payment'"):
        store.rejected("payment")
    with pytest.raises(UnknownName, match="there is no service 'fraud'"):
        store.get("fraud", user_id="u1")
    with pytest.raises(BadEntity, match="key 'merchant_id' \\(str\\) is missing"):
        store.get("fraud_v1", user_id="u1")
    with pytest.raises(TypeError, match="cannot feed float"):
        store.feed("payments", 1.5)
    with pytest.raises(ValueError, match="'noon' is no instant"):
        store.get("fraud_v1", user_id="u1", merchant_id="m1", as_of="noon")
    with pytest.raises(DefinitionError, match="no such file"):
        Store("nowhere.py")


def test_keys_may_be_given_in_a_mapping_whatever_they_are_called() -> None:
    class Move(BaseModel):
        self: str
        as_of: datetime

    stream = Stream("moves", contract=Move, event_time="as_of")
    view = FeatureView(
        "v",
        stream=stream,
        entity=Entity("e", keys=["self"]),
        windows=["1h"],
        features={"n": count()},
    )
    store = Store([view, FeatureService("s", features=[view])])
    store.feed("moves", {"self": "me", "as_of": NOON})
    assert store.get("s", {"self": "me"}) == {"n_1h": 1}


def test_vectors_come_with_statuses_and_event_times(payments: Catalog) -> None:
    store = Store(payments)
    store.feed("payments", paid(1))
    entities = [{"user_id": user, "merchant_id": "m1"} for user in ("u1", "nobody")]
    vectors = store.vectors("fraud_v1", entities)
    assert [statuses[0] for statuses in vectors.statuses] == ["PRESENT", "NOT_FOUND"]
    assert vectors.event_times[0][0] == int(NOON.timestamp()) * 1_000_000


class Order(BaseModel):
    order_id: str
    shop: str
    amount: float
    refund: bool = False
    at: datetime
    ordered_at: datetime | None = None


def orders(**options: Any) -> Store:
    stream = Stream("orders", contract=Order, event_time="at", event_id="order_id", **options)
    view = FeatureView(
        "sales",
        stream=stream,
        entity=Entity("shop", keys=["shop"]),
        windows=["1h"],
        features={"orders": count(), "turnover": total("amount")},
    )
    return Store(FeatureService("s", features=[view]))


def order(name: str, minutes: int = 0, **values: Any) -> dict[str, Any]:
    at = NOON + timedelta(minutes=minutes)
    return {"order_id": name, "shop": "a", "amount": 8.0, "at": at, **values}


def test_an_event_sent_twice_counts_once_where_the_stream_asks_for_it() -> None:
    twice = [order("o1"), order("o2"), order("o1", 5)]
    plain, deduped = orders(), orders(dedupe="1h")
    plain.feed("orders", twice)
    assert deduped.feed("orders", twice) == {"read": 3, "applied": 2, "duplicate": 1}
    assert deduped.feed("orders", order("o2"), partition="2") == {"read": 1, "duplicate": 1}
    assert plain.get("s", shop="a") == {"orders_1h": 3, "turnover_1h": 24.0}
    assert deduped.get("s", shop="a") == {"orders_1h": 2, "turnover_1h": 16.0}
    deduped.advance("61m")
    assert deduped.feed("orders", order("o1", 61)) == {"read": 1, "applied": 1}, "a claim ends"


def test_a_reversal_takes_its_event_out_at_the_time_of_that_event() -> None:
    store = orders(reverses="refund", reverses_time="ordered_at")
    store.feed("orders", [order("o1"), order("o2", 10)])
    store.feed("orders", order("o1", 30, refund=True, ordered_at=NOON))
    store.move_to(NOON + timedelta(minutes=30))
    assert store.get("s", shop="a") == {"orders_1h": 1, "turnover_1h": 8.0}
    assert store.get("s", shop="a", as_of=NOON) == {"orders_1h": 0, "turnover_1h": None}


def test_a_store_in_memory_answers_as_flow_and_client_do_bit_by_bit(
    payments: Catalog, redis_url: str
) -> None:
    """Busy entities too: rows are compacted here as there."""
    events = [
        paid(n, NOON + timedelta(seconds=17 * n), amount=n * 0.1, user_id=f"u{n % 3 and 1}")
        for n in range(900)
    ]
    memory, flow = Store(payments), HandFlow(redis_url, payments, now_us=2**61)
    flow.take_over({"payments": ["p"]})
    for start in range(0, len(events), 90):
        block = events[start : start + 90]
        memory.feed("payments", block)
        written = {
            start + n: {**e, "paid_at": e["paid_at"].isoformat()} for n, e in enumerate(block)
        }
        flow.feed("payments", "p", written)
        flow.commit()
    flow.writer.close()
    moments = [events[-1]["paid_at"] + timedelta(minutes=m) for m in (-50, 0, 10, 600)]
    with Client(payments, redis_url) as client:
        for user in ("u0", "u1", "u2"):
            entity = {"user_id": user, "merchant_id": "m1"}
            for moment in moments:
                expected = client.get("fraud_v1", entity, as_of=moment)
                assert memory.get("fraud_v1", entity, as_of=moment) == expected


def test_definitions_may_be_a_file_a_module_or_themselves(tmp_path: Path) -> None:
    text = """
from datetime import datetime
from pydantic import BaseModel
from featurestore import Entity, FeatureService, FeatureView, Stream, count

class Click(BaseModel):
    user: str
    at: datetime

clicks = Stream("clicks", contract=Click, event_time="at")
view = FeatureView("v", stream=clicks, entity=Entity("user", keys=["user"]), windows=["1h"],
                   features={"n": count()})
service = FeatureService("s", features=[view])
"""
    path = tmp_path / "clicks_defs.py"
    path.write_text(text)
    by_path = Store(path)
    module = sys.modules["clicks_defs"]
    stores = [by_path, Store(str(path)), Store(module), Store([module.service])]
    for store in stores:
        store.feed("clicks", {"user": "u", "at": NOON})
        assert store.get("s", user="u") == {"n_1h": 1}


def test_derived_columns_and_filters_are_the_flow_s_own() -> None:
    class Click(BaseModel):
        user: str
        ms: int
        at: datetime

    stream = Stream("c", contract=Click, event_time="at", derive={"slow": column("ms") > 100})
    view = FeatureView(
        "v",
        stream=stream,
        entity=Entity("user", keys=["user"]),
        windows=["1h"],
        features={"slow": count(where=column("slow")), "kinds": distinct("ms")},
        where=column("ms") > 0,
    )
    store = Store(FeatureService("s", features=[view]))
    store.feed("c", [{"user": "u", "ms": ms, "at": NOON} for ms in (-5, 50, 150, 150)])
    assert store.get("s", user="u") == {"slow_1h": 2, "kinds_1h": 2}


def test_neither_an_engine_nor_a_web_framework_is_loaded() -> None:
    code = "import featurestore.testing, sys; print(*{n.split('.')[0] for n in sys.modules})"
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert not {"bytewax", "fastapi", "uvicorn"} & set(done.stdout.split())


@pytest.mark.parametrize("names", [["Rome", 5], [2**63]])
def test_rows_given_for_a_reference_that_it_does_not_promise_are_said(names: list[Any]) -> None:
    places = Reference("places", source="places.csv", key="user", columns={"name": int})
    sales = Stream("sales", contract=Payment, event_time="paid_at", enrich=[places.on("user_id")])
    rows = [{"user": f"u{n}", "name": name} for n, name in enumerate(names)]
    with pytest.raises(SourceError, match=r"reference 'places' \(given\): "):
        Store(sales, references={"places": rows}).feed("sales", paid(1))


def test_a_module_that_nobody_can_import_is_read_as_it_is(payments: Catalog) -> None:
    module = ModuleType("notebook")
    vars(module).update(payments.services)
    assert Store(module).catalog.services == payments.services


def test_values_of_numpy_may_stand_in_events(payments: Catalog) -> None:
    store = Store(payments)
    at = np.datetime64("2026-01-01T12:00:00", "ns")
    assert store.feed("payments", paid(1, at, amount=np.float32(2.5))) == {"read": 1, "applied": 1}
    assert (spent(store), store.now) == (2.5, NOON)
    with pytest.raises(ValueError, match="cannot feed object"):
        store.feed("payments", paid(2, amount=object()))


def test_rows_for_a_reference_that_is_not_there_are_refused(payments: Catalog) -> None:
    with pytest.raises(UnknownName, match=r"there is no reference 'shops' \(has none\)"):
        Store(payments, references={"shops": []})
