"""Laws of the decoder: it agrees with pydantic, event by event, whatever comes."""

import json
from datetime import UTC, datetime

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel, field_validator

from featurestore import Stream, column
from featurestore.contracts.block import Documents, JsonLines, Packed
from featurestore.contracts.decoder import Decoder
from featurestore.contracts.json_lines import Lines
from featurestore.contracts.offsets import WideOffsets
from featurestore.contracts.rejection import Reason
from featurestore.contracts.shape import shape_of
from tests.contracts.pydantic_alone import (
    DECODERS,
    EVENTS,
    MODELS,
    Everything,
    Small,
    Strange,
    check,
    mutated,
    written,
)


@pytest.mark.parametrize("model", MODELS, ids=lambda m: m.__name__)
@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_agrees_with_pydantic_on_every_event(model: type[BaseModel], data: st.DataObject) -> None:
    documents = mutated(EVENTS[model].flatmap(written))
    check(model, data.draw(st.lists(documents, min_size=1, max_size=6)))


@settings(max_examples=60, deadline=None)
@given(st.lists(st.binary(max_size=40), max_size=5))
def test_arbitrary_bytes_are_rejected_and_never_raise(documents: list[bytes]) -> None:
    for model in MODELS:
        check(model, documents)


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_lines_give_what_their_documents_give(data: st.DataObject) -> None:
    documents = data.draw(st.lists(mutated(EVENTS[Small].flatmap(written)), max_size=5))
    ends = st.sampled_from([b"\n", b"\r\n", b" \n", b"\n\n", b"\n \t\n", b"\n\x0b\n"])
    lines = b"".join(document + data.draw(ends) for document in documents)
    start = data.draw(st.integers(0, 10))
    events = JsonLines(lines, start=start)
    by_line = DECODERS[Small].decode(events)
    one_by_one = DECODERS[Small].decode(Documents(events.documents, events.offsets))
    assert by_line.events.equals(one_by_one.events)
    assert by_line.offsets.tolist() == one_by_one.offsets.tolist()
    assert by_line.rejected == one_by_one.rejected
    for rejection in by_line.rejected:
        line = lines[rejection.offset - start :].split(b"\n")[0]
        assert line.strip() == rejection.raw


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_packed_documents_give_what_they_give_one_by_one(data: st.DataObject) -> None:
    some = mutated(EVENTS[Small].flatmap(written)) | st.binary(max_size=10) | st.just(b"")
    documents = data.draw(st.lists(some, min_size=1, max_size=5))
    ends = np.cumsum([len(document) + 2 for document in documents]) - 2
    begins = ends - [len(document) for document in documents]
    offsets = WideOffsets(np.full(len(ends), 7, np.uint64), np.arange(len(ends), dtype=np.uint64))
    events = Packed(b"".join(d + b"\r\n" for d in documents), begins, ends, offsets)
    assert events.documents == documents
    assert events.end == (7 << 64) + len(documents) - 1
    together = DECODERS[Small].decode(events)
    one_by_one = DECODERS[Small].decode(Documents(documents, offsets.tolist()))
    assert together.events.equals(one_by_one.events)
    assert together.offsets.tolist() == one_by_one.offsets.tolist()
    assert together.rejected == one_by_one.rejected


def refused(stream: Stream, document: bytes) -> tuple[Reason, str]:
    (rejection,) = Decoder(stream).decode(Documents([document], [5])).rejected
    assert (rejection.offset, rejection.raw) == (5, document)
    return rejection.reason, rejection.detail


AT = b'"id": "a", "at": "2026-01-01T00:00:00Z"'


@pytest.mark.parametrize(
    ("document", "reason", "detail"),
    [
        (b"{", Reason.MALFORMED, "Invalid JSON: EOF while parsing an object at line 1 column 1"),
        (b"[1]", Reason.MALFORMED, "Input should be an object, got [1]"),
        (b"\xff", Reason.MALFORMED, "Invalid JSON: expected value at line 1 column 1"),
        (b'{"a": ' + b"[" * 1000, Reason.MALFORMED, "Invalid JSON: recursion limit exceeded"),
        (
            b'{%s, "amount": -3.5}' % AT,
            Reason.INVALID,
            "amount: Input should be greater than or equal to 0, got -3.5",
        ),
        (
            b'{"id": 5}',
            Reason.INVALID,
            "id: Input should be a valid string, got 5; at: Field required (has: id)",
        ),
        (b'{%s, "rate": NaN}' % AT, Reason.INVALID, "rate: must be finite, got nan"),
        (b'{%s, "rate": 1e999}' % AT, Reason.INVALID, "rate: must be finite, got inf"),
        (b'{%s, "taste": [1, NaN, 3]}' % AT, Reason.INVALID, "taste.1: must be finite, got nan"),
        (
            b'{%s, "taste": [1, null, 3]}' % AT,
            Reason.INVALID,
            "taste.1: Input should be a valid number, got None",
        ),
        (
            b'{%s, "taste": [1, 2, 3, 4]}' % AT,
            Reason.INVALID,
            "taste: List should have at most 3 items after validation, not 4, got [1, 2, 3, ...]",
        ),
        (
            b'{%s, "taste": [1, 2]}' % AT,
            Reason.INVALID,
            "taste: List should have at least 3 items after validation, not 2, got [1, 2]",
        ),
        (
            b'{%s, "any_int": -9223372036854775808}' % AT,
            Reason.INVALID,
            "any_int: must be between -9223372036854775807 and 9223372036854775807",
        ),
        (b'{%s, "any_int": 1%s}' % (AT, b"0" * 30), Reason.INVALID, "any_int: must be between"),
        (
            b'{"id": "a", "at": "0001-01-01T00:00:00+10:00"}',
            Reason.INVALID,
            "at: must be in the years 1 to 9999 of UTC",
        ),
        (
            b'{%s, "card": {"country": 5}}' % AT,
            Reason.INVALID,
            "card.country: Input should be a valid string, got 5",
        ),
    ],
)
def test_says_what_is_wrong(document: bytes, reason: Reason, detail: str) -> None:
    got = refused(MODELS[Everything], document)
    assert got[0] is reason
    assert got[1].startswith(detail)


def test_details_stay_short_whatever_comes() -> None:
    event = {"id": ["x" * 10**5], "at": "y" * 10**5, "tags": list(range(10**4)), "k" * 10**5: 1}
    _, detail = refused(MODELS[Everything], json.dumps(event).encode())
    assert len(detail) <= 1200
    assert "more" in detail


def test_a_validator_that_raises_anything_rejects_its_event_alone() -> None:
    good, bad = b'{"id": "a", "at": 5}', b'{"id": "boom", "at": 5}'
    decoded = DECODERS[Strange].decode(Documents([good, bad, good], range(3)))
    assert decoded.offsets.tolist() == [0, 2]
    assert decoded.rejected[0].detail == "the contract raised KeyError: 'boom'"


class Unparsable(Exception):
    """What a library raises that a validator calls."""


class Checked(BaseModel):
    at: datetime
    phone: str

    @field_validator("phone")
    @classmethod
    def parsed(cls, phone: str) -> str:
        if not phone.startswith("+"):
            raise Unparsable(phone)
        return phone


def test_an_exception_of_its_own_kind_rejects_its_event_alone() -> None:
    events = [b'{"at": 5, "phone": "+31"}', b'{"at": 5, "phone": "no"}']
    stream = Stream("calls", contract=Checked, event_time="at")
    decoded = Decoder(stream).decode(Documents(events, range(2)))
    assert decoded.offsets.tolist() == [0]
    assert decoded.rejected[0].detail == "the contract raised Unparsable: no"


def test_one_bad_line_among_thousands_takes_nothing_with_it() -> None:
    lines = [b'{"event-id": "%d", "at": 5}' % n for n in range(5000)]
    lines[4000] = b'{"event-id": "4000", "at": 5} {"event-id": "4000", "at": 5}'
    lines[4500] = b'{"event-id": "4500",'
    decoded = DECODERS[Small].decode(JsonLines(b"\n".join(lines), start=0))
    assert [r.raw for r in decoded.rejected] == [lines[4000], lines[4500]]
    expected = [str(n) for n in range(5000) if n not in (4000, 4500)]
    assert decoded.events.column("id").to_pylist() == expected


def test_gives_the_columns_asked_for_and_what_they_need_but_checks_all() -> None:
    stream = Stream(
        "s",
        contract=Everything,
        event_time="at",
        event_id="id",
        derive={"double": column("amount") * 2, "more_than": column("double") > column("whole")},
    )
    documents = [
        b'{%s, "amount": 4, "second": {"country": "FR"}%s}' % (AT, m)
        for m in (b"", b', "step": 9', b', "day": "x"')
    ]
    decoded = Decoder(stream, ["more_than"]).decode(Documents(documents, range(3)))
    assert decoded.events.to_pylist() == [
        {
            "id": "a",
            "at": datetime(2026, 1, 1, tzinfo=UTC),
            "whole": 7,
            "amount": 4.0,
            "double": 8.0,
            "more_than": True,
        }
    ]
    assert [r.detail.split(":")[0] for r in decoded.rejected] == ["step", "day"]


def test_whole_numbers_beyond_2_to_53_do_not_stop_derived_columns() -> None:
    whole, amount = column("any_int"), column("amount")
    derive = {"half": whole / 2, "sum": whole + amount, "more": whole > amount}
    stream = Stream("s", contract=Everything, event_time="at", derive=derive)
    document = b'{%s, "any_int": 4611686018427387905, "amount": 0.5}' % AT
    (row,) = Decoder(stream).decode(Documents([document], [0])).events.to_pylist()
    assert (row["half"], row["sum"], row["more"]) == (2.0**61, 2.0**62, True)


def test_no_events_give_empty_columns_of_the_right_types() -> None:
    for model, stream in MODELS.items():
        for events in (JsonLines(b"\n \n", start=3), Documents([], [])):
            batch = DECODERS[model].decode(events).events
            assert batch.schema.types == [c.arrow_type for c in stream.columns.values()]
            assert batch.num_rows == 0


def test_right_vectors_never_meet_pydantic() -> None:
    documents = [
        b'{%s, "second": {"country": null}, "shares": [0, 1], "taste": %s}' % (AT, taste)
        for taste in (b"[1, 2.5, -0.0]", b"null", b"[1, 2]", b"[1, null, 2]", b"[1, 1e999, 2]")
    ]
    structured = DECODERS[Everything]._structured
    assert structured is not None
    (piece,) = structured.read(Lines.of(Documents(documents, range(5))))
    assert piece.places.tolist() == [0, 1]
    assert repr(piece.columns["taste"].to_pylist()) == "[[1.0, 2.5, -0.0], None]"


def test_offsets_beyond_64_bits_are_kept() -> None:
    events = Documents([b'{"event-id": "a", "at": 5}', b"x"], [2**70, 2**70 + 1])
    decoded = DECODERS[Small].decode(events)
    assert (decoded.offsets.tolist(), decoded.rejected[0].offset) == ([2**70], 2**70 + 1)


def test_the_contracts_here_are_judged_by_columns_and_by_pydantic() -> None:
    assert [shape_of(model) is None for model in MODELS] == [False, True, False]


DOUBTFUL = [
    b'"more": "\xff"',
    b'"unknown": "\xff"',
    b'"unknown": "\\ud800........"',
    b'"unknown": "\\udc00\\ud800....."',
    b'"unknown": ' + b"[" * 250 + b"]" * 250,
    b'"unknown": ' + b"[" * 198 + b"]" * 198,
    b'"unknown": ' + b'{"a":' * 205 + b"1" + b"}" * 205,
    b'"unknown": ' + b"9" * 4500,
    b'"unknown": 1.' + b"9" * 4500,
    b'"unknown": 01',
    b'"unknown": "\t"',
    b'"unknown": NaN',
    b'"unknown": 1e999',
    b'"price": -1e-400',
    b'"price": 0',
    b'"price": 0.10000000000000000000001',
    b'"price": "1.50"',
    b'"amount": -0',
    b'"amount": -0.0',
    b'"rate": -0.0',
    b'"rate": 1' + b"0" * 400,
    b'"any_int": 5.0',
    b'"any_int": "5"',
    b'"any_int": true',
    b'"any_int": -9223372036854775807',
    b'"step": 1.0',
    b'"step": true',
    b'"flag": 1',
    b'"amount": -1, "amount": 1',
    b'"amount": 1, "amount": -1',
    b'"am\\u006funt": 7',
    b'"card": {"country": "a"}, "card": {"country": null}',
    b'"tags": null',
    b'"second": null',
    b'"name": "\\u0000"',
    b'"name": "\\ud83d\\ude00\\ud83d\\ude00"',
    b'"card": {"country": null, "digits": "1234\\n"}',
    b'"key": "12345678123456781234567812345678"',
    b'"at": 1700000000',
    b'"at": 20000000000',
    b'"at": 20000000001',
    b'"at": 253402300799999',
    b'"at": 253402300800000',
    b'"at": -1',
    b'"at": 1700000000.5',
    b'"at": "2026-01-01T24:00:00Z"',
    b'"at": "2026-01-01T23:59:60Z"',
    b'"at": "2026-01-01T12:60:00Z"',
    b'"at": "0001-01-01T00:00:00+10:00"',
    b'"at": "0000-01-01T00:00:00Z"',
    b'"at": "2026-01-01T00:00:00+24:00"',
    b'"at": "2026-01-01T00:00:00.123456789Z"',
    b'"taste": [1, 2.5, -0.0]',
    b'"taste": [1, 2, 3, 4]',
    b'"taste": [1, 2]',
    b'"taste": []',
    b'"taste": [1, null, 3]',
    b'"taste": [1, "2", true]',
    b'"taste": [1, NaN, 3]',
    b'"taste": [1, Infinity, 3]',
    b'"taste": [1, 1e999, 3]',
    b'"taste": [1, 1' + b"0" * 400 + b", 3]",
    b'"taste": [1, [2], 3]',
    b'"taste": {"0": 1, "1": 2, "2": 3}',
    b'"taste": "[1, 2, 3]"',
    b'"shares": [0, 1]',
    b'"shares": [0, 1.0000000000000002]',
    b'"shares": [-0.0, -5e-324]',
    b'"shares": null',
    b'"day": "2026-02-29"',
    b'"day": "2024-02-29"',
    b'"day": "2026-01-01T00:00:00Z"',
]


@pytest.mark.parametrize("member", DOUBTFUL, ids=lambda m: m[:30])
def test_agrees_with_pydantic_where_parsers_differ(member: bytes) -> None:
    second = b'"second": {"country": "FR"}'
    check(Everything, [b"{%s, %s, %s}" % (AT, second, member), b"{%s, %s}" % (AT, second)])
