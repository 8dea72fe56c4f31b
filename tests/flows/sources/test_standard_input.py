"""JSON lines on stdin."""

import os
import time
from collections.abc import Iterator

import pytest

from featurestore.contracts.block import Block
from flows.sources.standard_input import StandardInput, let_go


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    reader, writer = os.pipe()
    yield reader, writer
    os.close(reader)


def documents(block: Block) -> list[bytes]:
    return [] if block.events is None else block.events.documents  # type: ignore[union-attr]


def test_lines_are_handed_on_while_the_pipe_is_open(pipe: tuple[int, int]) -> None:
    reader, writer = pipe
    partition = StandardInput("s", reader).open("-", None)
    assert documents(partition.next_block(0)) == []
    os.write(writer, b'{"a": 1}\n\n{"a": 2}\r\n{"a"')
    assert documents(partition.next_block(1000)) == [b'{"a": 1}', b'{"a": 2}']
    assert documents(partition.next_block(0)) == []
    os.write(writer, b": 3}\n")
    block = partition.next_block(1000)
    assert documents(block) == [b'{"a": 3}']
    assert not block.finished
    os.close(writer)
    assert partition.next_block(1000).finished


def test_what_stands_there_when_it_is_closed_is_the_last_event(pipe: tuple[int, int]) -> None:
    reader, writer = pipe
    partition = StandardInput("s", reader).open("-", None)
    os.write(writer, b'{"a": 1}\n{"a":')
    os.close(writer)
    found = []
    while not (block := partition.next_block(100)).finished:
        found += documents(block)
    assert found + documents(block) == [b'{"a": 1}', b'{"a":']


def test_waiting_takes_no_longer_than_asked(pipe: tuple[int, int]) -> None:
    reader, writer = pipe
    partition = StandardInput("s", reader).open("-", None)
    start = time.monotonic()
    block = partition.next_block(30)
    assert 0.02 < time.monotonic() - start < 1
    assert block.events is None
    assert not block.finished
    os.close(writer)


def test_offsets_are_larger_than_in_any_earlier_run(pipe: tuple[int, int]) -> None:
    reader, writer = pipe
    os.write(writer, b"1\n2\n3\n")
    first = StandardInput("s", reader).open("-", None).next_block(100)
    os.write(writer, b"4\n")
    second = StandardInput("s", reader).open("-", first.end).next_block(100)
    os.write(writer, b"5\n")
    ahead = first.end + 10**15  # the clock was set back
    third = StandardInput("s", reader).open("-", ahead).next_block(100)
    os.close(writer)
    offsets = [*first.events.offsets, *second.events.offsets]  # type: ignore[union-attr]
    assert len(set(offsets)) == 4
    assert offsets == sorted(offsets)
    assert third.events.offsets[0] > ahead  # type: ignore[union-attr]


def test_more_lines_than_fit_in_one_read_keep_their_order(pipe: tuple[int, int]) -> None:
    reader, writer = pipe
    partition, found = StandardInput("s", reader).open("-", None), []
    for start in range(0, 40_000, 4_000):
        os.write(writer, b"".join(b"%d\n" % n for n in range(start, start + 4_000)))
        found += documents(partition.next_block(100))
    os.close(writer)
    while not (block := partition.next_block(100)).finished:
        found += documents(block)
    assert [int(document) for document in found] == list(range(40_000))


def test_what_was_not_committed_is_given_again(pipe: tuple[int, int]) -> None:
    reader, writer = pipe
    source, blocks = StandardInput("s", reader), []
    partition = source.open("-", None)
    for line in (b"1\n", b"2\n", b"3\n4"):
        os.write(writer, line)
        blocks.append(partition.next_block(1000))
    partition.close()
    source.let_go(blocks[0].end)
    again = source.open("-", blocks[0].end)
    os.write(writer, b"5\n")
    os.close(writer)
    given = [again.next_block(1000) for _ in range(4)]
    assert given[:2] == blocks[1:]
    assert documents(given[2]) == [b"45"]
    assert given[3].finished
    assert [documents(source.open("-", given[2].end).next_block(0))] == [[]]


def test_what_cannot_be_given_again_is_said(
    pipe: tuple[int, int], capsys: pytest.CaptureFixture[str]
) -> None:
    reader, writer = pipe
    os.write(writer, b"1\n")
    source = StandardInput("s", reader)
    block = source.open("-", None).next_block(1000)
    source.let_go(block.end)
    source.open("-", block.end)
    assert not capsys.readouterr().err
    source.open("-", block.end - 1)
    os.close(writer)
    assert "lost events of stream 's' that had come through stdin" in capsys.readouterr().err


def test_it_lets_go_of_what_is_committed_of_itself_only(pipe: tuple[int, int]) -> None:
    reader, writer = pipe
    os.write(writer, b"1\n")
    os.close(writer)
    source = StandardInput("s", reader)
    block = source.open("-", None).next_block(1000)
    let_go([source], "s", "redis://there/key", block.end << 64)  # the stream is read there, too
    let_go([source], "other", "-", block.end)
    assert source.open("-", None).next_block(1000) == block
    let_go([source], "s", "-", block.end)
    assert source.open("-", block.end).next_block(1000).finished
