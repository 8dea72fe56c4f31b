"""Entries read off the bytes of an answer: the same that hiredis finds, however they look."""

from itertools import pairwise
from typing import Any

import hiredis
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from featurestore.contracts.block import Packed
from featurestore.errors import StoreRefused
from featurestore.storage.commands import pack
from featurestore.storage.wire import Wire
from flows.sources.entries import are_many, packed
from flows.sources.redis_stream import offset_of

PONG = b"+PONG\r\n"
TRAPS = [b"", b"{}", b"\r\n*2\r\n$5\r\nevent\r\n$2\r\n{}", b"*2\r\n$3\r\n7-1\r\n", b"\n", b"\xff"]

numbers = st.integers(0, 2**64 - 1) | st.integers(0, 20)
ids = st.tuples(numbers, numbers)
documents = st.sampled_from(TRAPS) | st.binary(max_size=40)
plain = st.tuples(st.just(b"event"), documents).map(list)
odd = st.lists(documents, min_size=2, max_size=4).filter(lambda fields: len(fields) % 2 == 0)


def entries_of(fields: st.SearchStrategy) -> st.SearchStrategy:
    """Make entries with rising ids."""
    entries = st.lists(st.tuples(ids, fields), min_size=1, max_size=8, unique_by=lambda e: e[0])
    return entries.map(sorted)


def answer_to_xread(entries: list[tuple[tuple[int, int], list[bytes]]], key: bytes) -> bytes:
    """Write entries as a server does."""
    answered = [b"*%d\r\n" % len(entries)]
    for (ms, seq), fields in entries:
        name = b"%d-%d" % (ms, seq)
        answered.append(b"*2\r\n$%d\r\n%b\r\n%b" % (len(name), name, pack(*fields)))
    return b"*1\r\n*2\r\n$%d\r\n%b\r\n" % (len(key), key) + b"".join(answered)


def by_hiredis(answer: bytes) -> tuple[list[bytes], list[int]]:
    reader = hiredis.Reader()
    reader.feed(answer)
    entries: Any = reader.gets()[0][1]
    return [fields[1] for _, fields in entries], [offset_of(name) for name, _ in entries]


def found(events: Packed) -> tuple[list[bytes], list[int]]:
    return events.documents, list(events.offsets)


@given(entries_of(plain), st.sampled_from([b"log", b"{fs:payments}!events", b""]))
@example([((1, 0), [b"event", b"{}"]), ((1, 2**64 - 1), [b"event", b"{}"])], b"log")
def test_entries_of_one_event_are_what_hiredis_finds(entries, key: bytes) -> None:
    answer = answer_to_xread(entries, key)
    events = packed(answer)
    if events is not None:
        assert found(events) == by_hiredis(answer)
        assert b"".join(d + b"\r\n" for d in events.documents) == events.data


@given(entries_of(plain | odd))
def test_entries_of_any_fields_are_what_hiredis_finds_or_left_to_it(entries) -> None:
    answer = answer_to_xread(entries, b"log")
    events = packed(answer)
    if events is not None:
        assert all(fields[0] == b"event" and len(fields) == 2 for _, fields in entries)
        assert found(events) == by_hiredis(answer)


def test_the_usual_entries_are_not_left_to_it() -> None:
    ids = [(1_767_225_600_000 + n // 3, n % 3 * 10) for n in range(100)] + [(2**60, 0), (2**60, 1)]
    for document in (b"{}", b"", b"\r\n", b"x" * 1000, "ö".encode(), b"\xff", b"5 * 2 = 10"):
        answer = answer_to_xread([(name, [b"event", document]) for name in ids], b"log")
        events = packed(answer)
        assert events is not None
        assert found(events) == by_hiredis(answer)


@given(entries_of(plain), st.data())
def test_an_answer_that_was_tampered_with_is_read_by_nobody_as_something_else(
    entries, data
) -> None:
    answer = bytearray(answer_to_xread(entries, b"log"))
    place = data.draw(st.integers(0, len(answer) - 1))
    answer[place] = data.draw(st.integers(0, 255))
    events = packed(bytes(answer))
    if events is not None:
        assert found(events) == by_hiredis(bytes(answer))


@given(entries_of(plain), st.integers(1, 200))
def test_an_answer_that_is_not_whole_is_not_read(entries, missing: int) -> None:
    answer = answer_to_xread(entries, b"log")
    assert packed(answer[:-missing]) is None


class Pieces(Wire):
    """A wire on which given pieces arrive one by one."""

    def __init__(self, pieces: list[bytes]) -> None:
        self._reader, self._ahead, self._pieces = hiredis.Reader(), b"", pieces

    def _received(self) -> bytes:
        return self._pieces.pop(0)


@given(entries_of(plain | odd), st.data())
def test_an_answer_is_the_same_wherever_it_is_split(entries, data) -> None:
    answer = answer_to_xread(entries, b"log")
    cuts = data.draw(st.lists(st.integers(1, len(answer) + 5), max_size=6).map(sorted))
    sent = answer + PONG
    bounds = [0, *sorted(set(cuts)), len(sent)]
    wire = Pieces([sent[a:b] for a, b in pairwise(bounds) if a < b])
    read = wire.whole(lambda begun: begun.startswith(b"*1"), packed)
    documents, offsets = by_hiredis(answer)
    if isinstance(read, Packed):
        assert found(read) == (documents, offsets)
    else:
        assert [fields[1] for _, fields in read[0][1]] == documents
    wire._pieces.append(b":7\r\n")
    assert wire.read() == 7


def test_an_error_and_the_end_of_waiting_are_replies_as_always() -> None:
    assert Pieces([b"*-1\r\n" + PONG]).whole(are_many, packed) is None
    with pytest.raises(StoreRefused, match="WRONGTYPE"):
        Pieces([b"-WRONGTYPE no\r\n" + PONG]).whole(are_many, packed)


def test_few_entries_are_not_worth_it() -> None:
    few, many = ([((n, 0), [b"event", b"{}"]) for n in range(1, size)] for size in (20, 2000))
    assert not are_many(answer_to_xread(few, b"log"))
    assert are_many(answer_to_xread(many, b"log"))
