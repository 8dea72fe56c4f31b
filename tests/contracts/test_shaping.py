"""Transforms, filters and look-ups: what they make of events, and of those they fail on."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import numpy as np
import orjson
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel

from featurestore import (
    Entity,
    FeatureService,
    FeatureView,
    Reference,
    Stream,
    column,
    count,
    total,
)
from featurestore.contracts.block import Documents
from featurestore.contracts.decoder import Decoded, Decoder
from featurestore.contracts.reference_table import ReferenceTable
from featurestore.contracts.rejection import Reason
from featurestore.errors import DefinitionError

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


class Sale(BaseModel):
    sale_id: str
    shop: str
    cents: int
    note: str | None = None
    at: datetime


def sale(number: int, **values: Any) -> dict[str, Any]:
    return {"sale_id": f"s{number}", "shop": "a", "cents": 100 * number, "at": NOON, **values}


def stream(**options: Any) -> Stream:
    return Stream("sales", contract=Sale, event_time="at", event_id="sale_id", **options)


def decoded(of: Stream, sales: Sequence[dict[str, Any]], **options: Any) -> Decoded:
    documents = [orjson.dumps(event) for event in sales]
    return Decoder(of, **options).decode(Documents(documents, range(10, 10 + len(sales))))


def in_euros(batch: pa.RecordBatch) -> pa.RecordBatch:
    euros = pc.divide(pc.cast(batch.column("cents"), pa.float64()), 100.0)
    return batch.drop_columns(["cents"]).append_column("euros", euros)


def stern(batch: pa.RecordBatch) -> pa.RecordBatch:
    """Fails on events whose note is 'bad', as a function of Python would."""
    for note in batch.column("note").to_pylist():
        if note == "bad":
            msg = "a bad note"
            raise ValueError(msg)
    return batch


def test_a_transform_adds_replaces_and_drops_columns() -> None:
    made = decoded(stream(transforms=[in_euros]), [sale(1), sale(2)])
    assert made.events.schema.names == ["sale_id", "shop", "note", "at", "euros"]
    assert made.events.column("euros").to_pylist() == [1.0, 2.0]
    assert made.offsets.tolist() == [10, 11]


def test_transforms_come_one_after_the_other_and_before_derived_columns() -> None:
    def doubled(batch: pa.RecordBatch) -> pa.RecordBatch:
        return batch.append_column("twice", pc.multiply(batch.column("euros"), pa.scalar(2.0)))

    of = stream(transforms=[in_euros, doubled], derive={"much": column("twice") > 3})
    made = decoded(of, [sale(1), sale(2)], columns=["much"])
    assert made.events.column("much").to_pylist() == [False, True]
    assert made.events.schema.names == ["sale_id", "at", "twice", "much"]


def test_a_transform_may_be_written_with_pandas() -> None:
    def cleaned(batch: pa.RecordBatch) -> Any:
        frame = batch.to_pandas()
        frame["shop"] = frame["shop"].str.upper()
        frame["size"] = np.log10(frame["cents"].replace(0, np.nan))
        return pa.Table.from_pandas(frame, preserve_index=False)

    made = decoded(stream(transforms=[cleaned]), [sale(1), sale(0), sale(10)])
    assert made.events.column("shop").to_pylist() == ["A", "A", "A"]
    assert made.events.column("size").to_pylist() == [2.0, None, 3.0], "NaN is none"
    assert made.events.column("note").to_pylist() == [None, None, None]


def test_an_event_that_a_transform_fails_on_is_rejected_and_the_others_go_on() -> None:
    sales = [sale(n, note="bad" if n in (3, 4, 7) else "good") for n in range(9)]
    made = decoded(stream(transforms=[stern, in_euros]), [*sales, {"sale_id": 5}])
    assert made.events.column("sale_id").to_pylist() == ["s0", "s1", "s2", "s5", "s6", "s8"]
    assert made.offsets.tolist() == [10, 11, 12, 15, 16, 18]
    assert [r.offset for r in made.rejected] == [13, 14, 17, 19]
    first = made.rejected[0]
    assert (first.reason, first.detail) == (
        Reason.INVALID,
        "transform stern raised ValueError: a bad note",
    )
    assert orjson.loads(first.raw)["sale_id"] == "s3"


@pytest.mark.parametrize("name", ["at", "until"])
def test_an_instant_beyond_the_calendar_is_missing_after_a_transform(name: str) -> None:
    def far(batch: pa.RecordBatch) -> pa.RecordBatch:
        kept = batch.append_column("until", batch.column("at"))
        after = pa.array([317 * 10**15] * batch.num_rows, pa.timestamp("us", tz="UTC"))
        return kept.set_column(kept.schema.get_field_index(name), name, after)

    made = decoded(stream(transforms=[far]), [sale(1)])
    assert made.events.column(name).to_pylist() == [None] * (name == "until")
    assert [r.detail for r in made.rejected] == ["transform far: at: must not be missing"] * (
        name == "at"
    )


def test_when_a_transform_fails_on_everything_everything_is_rejected() -> None:
    made = decoded(stream(transforms=[stern]), [sale(n, note="bad") for n in range(5)])
    assert made.events.num_rows == 0
    assert made.events.schema.names == ["sale_id", "shop", "cents", "note", "at"]
    assert [r.offset for r in made.rejected] == [10, 11, 12, 13, 14]


def only_good(batch: pa.RecordBatch) -> pa.RecordBatch:
    return batch.filter(pc.equal(batch.column("shop"), "a"))


def without_time(batch: pa.RecordBatch) -> pa.RecordBatch:
    place = batch.schema.get_field_index("at")
    gone = pc.if_else(pc.equal(batch.column("shop"), "b"), None, batch.column("at"))
    return batch.set_column(place, "at", gone)


def unlike(batch: pa.RecordBatch) -> pa.RecordBatch:
    """Gives another type than it promised, where a shop is 'b'."""
    odd = "b" in batch.column("shop").to_pylist()
    kind = pa.string() if odd else pa.int64()
    return batch.append_column("rank", pa.array(["x" if odd else 1] * batch.num_rows, kind))


def forgetful(batch: pa.RecordBatch) -> pa.RecordBatch:
    """Forgets a column where a shop is 'b'."""
    return batch.drop_columns(["note"] if "b" in batch.column("shop").to_pylist() else [])


@pytest.mark.parametrize(
    ("transform", "detail"),
    [
        (only_good, "transform only_good gave 0 rows for 1; it must keep each"),
        (without_time, "transform without_time: at: must not be missing"),
        (unlike, "transform unlike: rank: no int this time"),
        (forgetful, "transform forgetful gave no column 'note' this time"),
    ],
)
def test_what_breaks_a_promise_only_now_and_then_is_rejected(transform: Any, detail: str) -> None:
    made = decoded(stream(transforms=[transform]), [sale(1), sale(2, shop="b"), sale(3)])
    assert made.events.column("sale_id").to_pylist() == ["s1", "s3"]
    (rejection,) = made.rejected
    assert rejection.offset == 11
    assert rejection.detail.startswith(detail)


@settings(max_examples=40)
@given(
    st.lists(st.sampled_from(["good", "bad", None, "broken", "unwanted"]), max_size=12),
    st.data(),
)
def test_the_same_becomes_of_an_event_however_they_are_batched(
    notes: list[str | None], data: st.DataObject
) -> None:
    of = stream(transforms=[stern, in_euros], where=column("note").fill_null("") != "unwanted")
    sales = [
        {} if note == "broken" else sale(number, note=note) for number, note in enumerate(notes)
    ]
    cut = data.draw(st.integers(0, len(sales)))
    whole, parts = decoded(of, sales), [decoded(of, sales[:cut]), decoded(of, sales[cut:])]
    rows = [row for part in parts for row in part.events.to_pylist()]
    assert whole.events.to_pylist() == rows
    fates = {"bad": "rejected", "broken": "rejected", "unwanted": "filtered"}
    fate = {n: fates.get(note or "", "kept") for n, note in enumerate(notes)}
    assert whole.offsets.tolist() == [10 + n for n in fate if fate[n] == "kept"]
    assert whole.filtered.tolist() == [10 + n for n in fate if fate[n] == "filtered"]
    assert [r.offset for r in whole.rejected] == [10 + n for n in fate if fate[n] == "rejected"]


def test_a_filter_keeps_events_for_which_it_is_true_and_counts_the_others() -> None:
    of = stream(where=column("note") == "keep")
    made = decoded(of, [sale(1, note="keep"), sale(2, note="drop"), sale(3)], columns=["shop"])
    assert made.events.column("sale_id").to_pylist() == ["s1"]
    assert (made.filtered.tolist(), made.rejected) == ([11, 12], ())


def test_a_filter_may_use_what_was_derived_and_looked_up() -> None:
    shops = Reference("shops", source="s.csv", key="shop", columns={"size": int, "open": bool})
    of = stream(
        enrich=[shops.on(column("shop").upper())],
        derive={"large": column("shops.size") > 10},
        where=column("large") & column("shops.open"),
    )
    rows = {"shop": ["A", "B", "C"], "size": [50, 5, None], "open": [True, True, True]}
    tables = Tables({"shops": ReferenceTable.of(shops, pa.table(rows))})
    sales = [sale(1, shop="a"), sale(2, shop="b"), sale(3, shop="c"), sale(4, shop="z")]
    made = decoded(of, sales, columns=["cents"], references=tables)
    assert made.events.column("cents").to_pylist() == [100]
    assert made.filtered.tolist() == [11, 12, 13]


class Tables:
    def __init__(self, tables: dict[str, ReferenceTable]) -> None:
        self.tables = tables

    def table(self, reference: Reference) -> ReferenceTable:
        return self.tables[reference.name]


def test_a_look_up_gives_the_columns_of_the_key_and_none_for_others() -> None:
    shops = Reference("shops", source="s.csv", key="shop", columns={"city": str, "risk": float})
    rows = {"shop": ["a", "b"], "city": ["Rome", None], "risk": [0.5, float("nan")]}
    tables = Tables({"shops": ReferenceTable.of(shops, pa.table(rows))})
    of = stream(enrich=[shops.on("shop"), shops.on("note", name="noted")])
    made = decoded(of, [sale(1), sale(2, shop="b"), sale(3, shop="c", note="a")], references=tables)
    assert made.events.column("shops.city").to_pylist() == ["Rome", None, None]
    assert made.events.column("shops.risk").to_pylist() == [0.5, None, None]
    assert made.events.column("noted.city").to_pylist() == [None, None, "Rome"]


@pytest.mark.parametrize(
    ("rows", "problem"),
    [
        ({"shop": ["a"], "citty": ["Rome"]}, "no column 'city' .*did you mean 'citty'"),
        ({"shop": ["a", "b", "a"], "city": ["x"] * 3}, "key 'a' stands in rows 0 and 2"),
        ({"shop": ["a", None], "city": ["x"] * 2}, "row 1 has no 'shop'"),
        ({"shop": ["a"], "city": [[1]]}, "column 'city' is .* and no str"),
        ({"shop": [b"\xff"], "city": ["x"]}, "column 'shop' is binary and no str"),
    ],
)
def test_a_table_that_is_not_what_was_promised_is_refused(
    rows: dict[str, Any], problem: str
) -> None:
    shops = Reference("shops", source="s.csv", key="shop", columns={"city": str})
    with pytest.raises(ValueError, match=problem):
        ReferenceTable.of(shops, pa.table(rows))


def raising(batch: pa.RecordBatch) -> pa.RecordBatch:
    return batch.drop_columns(["sense"])


def to_frame(batch: pa.RecordBatch) -> Any:
    return batch.to_pandas()


def doubled_name(batch: pa.RecordBatch) -> pa.RecordBatch:
    return batch.append_column("at", batch.column("at"))


def two_rows(batch: pa.RecordBatch) -> pa.RecordBatch:
    return pa.RecordBatch.from_pylist([{"at": 1}, {"at": 2}])


def of_lists(batch: pa.RecordBatch) -> pa.RecordBatch:
    return batch.append_column("words", pa.array([[]] * batch.num_rows, pa.list_(pa.string())))


def timeless(batch: pa.RecordBatch) -> pa.RecordBatch:
    return batch.drop_columns(["at"])


def textual(batch: pa.RecordBatch) -> pa.RecordBatch:
    place = batch.schema.get_field_index("at")
    return batch.set_column(place, "at", pc.cast(batch.column("at"), pa.string()))


SHOPS = Reference("shops", source="s.csv", key="shop", columns={"cents": int})
NUMBERED = Reference("n", source="s.csv", key="shop", key_type=int, columns={"cents": int})


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ({"transforms": [raising]}, "transform raising raised KeyError"),
        ({"transforms": [doubled_name]}, "gave two columns of one name: .*at.*, at"),
        ({"transforms": [to_frame]}, "gave DataFrame, but must give a pyarrow.RecordBatch"),
        ({"transforms": [two_rows]}, "gave 2 rows for 0; .* leave events out with Stream"),
        (
            {"transforms": [of_lists]},
            "column 'words' is list<.*>.*cast it to pa.list_.*, or drop it",
        ),
        ({"transforms": [timeless]}, "transforms leave no event_time 'at' .has: sale_id"),
        ({"transforms": [textual]}, "event_time 'at' is str after transforms"),
        ({"transforms": [in_euros], "where": column("cents") > 0}, "column 'cents' is not in"),
        ({"where": column("cents")}, "where: cents is int, but must be true or false"),
        ({"where": column("amount") > 0}, "where: column 'amount' is not in stream 'sales'"),
        ({"enrich": [SHOPS.on("shoop")]}, "enrich 'shops': column 'shoop' is not in"),
        ({"enrich": [NUMBERED.on("shop")]}, "shop is str, but the keys of reference 'n' are int"),
        ({"enrich": [SHOPS.on("shop"), SHOPS.on("note")]}, "'shops.cents' already; say on"),
        ({"enrich": [SHOPS.on("shop")], "derive": {"shops.cents": column("cents")}}, "rename it"),
    ],
)
def test_shaping_that_cannot_be_is_refused_when_it_is_defined(
    options: dict[str, Any], problem: str
) -> None:
    with pytest.raises(DefinitionError, match=problem):
        stream(**options)


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ({"columns": {}}, "it has no columns"),
        ({"columns": ["city"]}, "columns must be a dict of types by name, got"),
        ({"columns": {"a": list}}, "column 'a' is <class 'list'>, but must be one of str, int"),
        ({"source": "x.xlsx"}, "source 'x.xlsx' is neither a file .* nor a Redis hash"),
        ({"key_type": float}, "key_type <class 'float'> must be str or int"),
        ({"refresh": "soon"}, "refresh 'soon' is no duration"),
    ],
)
def test_a_reference_that_cannot_be_is_refused(options: dict[str, Any], problem: str) -> None:
    right = {"source": "s.csv", "key": "shop", "columns": {"city": str}}
    with pytest.raises(DefinitionError, match=problem):
        Reference("shops", **{**right, **options})


def version(**options: Any) -> str:
    return FeatureView(
        "v",
        stream=stream(**options),
        entity=Entity("shop", keys=["shop"]),
        windows=["1h"],
        features={"n": count()},
    ).version


def test_other_shaping_makes_another_version_of_a_view_and_comments_do_not() -> None:
    def commented() -> Any:
        def in_euros(batch: pa.RecordBatch) -> pa.RecordBatch:
            # the same, with a comment and another layout
            euros = pc.divide(
                pc.cast(batch.column("cents"), pa.float64()), 100.0
            )  # fmt: skip
            return batch.drop_columns(["cents"]).append_column("euros", euros)

        return in_euros

    def other() -> Any:
        def in_euros(batch: pa.RecordBatch) -> pa.RecordBatch:
            euros = pc.divide(pc.cast(batch.column("cents"), pa.float64()), 1000.0)
            return batch.drop_columns(["cents"]).append_column("euros", euros)

        return in_euros

    assert version(transforms=[in_euros]) == version(transforms=[commented()])
    different = [
        version(),
        version(transforms=[in_euros]),
        version(transforms=[other()]),
        version(where=column("cents") > 0),
        version(where=column("cents") > 1),
        version(enrich=[SHOPS.on("shop")]),
        version(enrich=[SHOPS.on("note")]),
    ]
    assert len(set(different)) == len(different)


def test_all_of_it_goes_through_to_the_vector() -> None:
    from featurestore.testing import Store  # noqa: PLC0415 - the one test that needs it

    shops = Reference("shops", source="s.csv", key="shop", columns={"rate": float})
    of = stream(
        transforms=[stern, in_euros],
        enrich=[shops.on("shop")],
        derive={"tax": column("euros") * column("shops.rate")},
        where=column("euros") > 0,
    )
    view = FeatureView(
        "v",
        stream=of,
        entity=Entity("shop", keys=["shop"]),
        windows=["1h"],
        features={"n": count(), "tax": total("tax")},
    )
    rows = [{"shop": "a", "rate": 0.5}, {"shop": "b", "rate": None}]
    for form in (rows, pd.DataFrame(rows), pa.Table.from_pylist(rows)):
        store = Store(FeatureService("s", features=[view]), references={"shops": form})
        sales = [sale(1), sale(0), sale(4), sale(2, note="bad"), sale(3, shop="b")]
        assert store.feed("sales", sales) == {"read": 5, "applied": 3, "filtered": 1, "invalid": 1}
        assert store.get("s", shop="a") == {"n_1h": 2, "tax_1h": 2.5}
        assert store.get("s", shop="b") == {"n_1h": 1, "tax_1h": None}
