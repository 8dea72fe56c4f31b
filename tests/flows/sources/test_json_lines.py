"""JSON lines in files."""

import gzip
import json
import tempfile
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from featurestore.errors import SourceError
from flows.sources import lines as lines_module
from flows.sources.json_lines import JsonLinesFile, begins_json

line = st.one_of(
    st.just(b""),
    st.just(b"  "),
    st.binary(max_size=30).map(lambda b: b.replace(b"\n", b"").replace(b"\r", b"")),
    st.integers(0, 60).map(lambda n: b'{"a": "' + b"x" * n + b'"}'),
)
texts = st.lists(st.tuples(line, st.sampled_from([b"\n", b"\r\n"])), max_size=12).map(
    lambda pairs: b"".join(a + b for a, b in pairs)
)


def naive(text: bytes) -> list[tuple[int, bytes]]:
    """The events of a text, byte by byte."""
    found, start, current = [], 0, b""
    for at, byte in enumerate(text):
        if byte == 10:
            if current.strip():
                found.append((start, current.strip()))
            start, current = at + 1, b""
        else:
            current += bytes([byte])
    return found


def partitions_of(text: bytes, size: int, read, name: str = "e.jsonl") -> list[list[object]]:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / name
        path.write_bytes(gzip.compress(text) if name.endswith(".gz") else text)
        source = JsonLinesFile("s", str(path), partition_bytes=size)
        return [read(source, partition) for partition in source.partitions()]


@given(texts.filter(lambda t: not t.startswith(b"\xef\xbb\xbf")), st.integers(1, 80))
def test_wherever_a_file_is_split_each_line_is_in_one_partition(text: bytes, size: int) -> None:
    parts = partitions_of(text, size, reading)
    assert [event for part in parts for event in part] == naive(text)
    for k, part in enumerate(parts):
        assert all(k * size <= offset < (k + 1) * size for offset, _ in part)


@given(
    texts.filter(lambda t: not t.startswith(b"\xef\xbb\xbf")),
    st.integers(1, 80),
    st.integers(0, 400),
)
def test_a_file_that_grew_gives_each_line_once(text: bytes, size: int, cut: int) -> None:
    """Whatever the place at which the first run found its end."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "e.jsonl"
        path.write_bytes(text[:cut])
        source = JsonLinesFile("s", str(path), partition_bytes=size)
        first, ends = {}, {}
        for name in source.partitions():
            first[name], ends[name] = reading_to(source, name, None)
        path.write_bytes(text)
        both = []
        for name in source.partitions():
            second, _ = reading_to(source, name, ends.get(name))
            both += first.get(name, []) + second
    # A line cut in its middle that can never become JSON is refused there; its end is not read.
    offsets = [offset for offset, _ in both]
    assert offsets == [offset for offset, _ in naive(text) if offset in offsets]
    missing = {offset for offset, _ in naive(text)} - set(offsets)
    assert not missing


def reading(source, name, after=None):
    return reading_to(source, name, after)[0]


def reading_to(source, name, after):
    """The events of a partition, and the position behind them."""
    partition, events, end = source.open(name, after), [], after
    while True:
        block = partition.next_block(0)
        if block.events is not None:
            events += zip(block.events.offsets, block.events.documents, strict=True)
            end = block.end
        if block.finished:
            partition.close()
            return events, end


json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)


@given(st.dictionaries(st.text(), json_values), st.booleans(), st.data())
def test_every_beginning_of_an_object_is_known_as_one(
    value: dict[str, object],
    escape: bool,  # noqa: FBT001 - drawn by Hypothesis
    data: st.DataObject,
) -> None:
    text = json.dumps(value, ensure_ascii=escape).encode(errors="replace")
    assert not begins_json(text)
    assert begins_json(text[: data.draw(st.integers(1, len(text) - 1))])


def test_a_last_line_that_is_whole_json_is_an_event_and_counted_once(tmp_path: Path) -> None:
    path = tmp_path / "e.jsonl"
    source = JsonLinesFile("s", str(path))
    path.write_bytes(b'{"a": 1}\n{"a": 2}')
    first, end = reading_to(source, str(path), None)
    assert first == [(0, b'{"a": 1}'), (9, b'{"a": 2}')]
    path.write_bytes(b'{"a": 1}\n{"a": 2}\n{"a": 3}\n')
    assert reading(source, str(path), end) == [(18, b'{"a": 3}')]


def test_a_last_line_still_being_written_is_left_for_the_next_run(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "e.jsonl"
    source = JsonLinesFile("s", str(path))
    path.write_bytes(b'{"a": 1}\n{"a": 2')
    first, end = reading_to(source, str(path), None)
    assert first == [(0, b'{"a": 1}')]
    assert f"{path}: the last line (byte 9) has no newline" in capsys.readouterr().err
    path.write_bytes(b'{"a": 1}\n{"a": 22}\n')
    assert reading(source, str(path), end) == [(9, b'{"a": 22}')]


def test_a_last_line_that_can_never_be_json_is_handed_on_to_be_refused(tmp_path: Path) -> None:
    path = tmp_path / "e.jsonl"
    path.write_bytes(b'{"a": 1}\n{oops')
    assert reading(JsonLinesFile("s", str(path)), str(path)) == [
        (0, b'{"a": 1}'),
        (9, b"{oops"),
    ]


def test_a_mark_in_front_of_utf8_is_no_part_of_the_first_event(tmp_path: Path) -> None:
    path = tmp_path / "e.jsonl"
    path.write_bytes(b'\xef\xbb\xbf{"a": 1}\n{"a": 2}\n')
    assert reading(JsonLinesFile("s", str(path)), str(path)) == [
        (3, b'{"a": 1}'),
        (12, b'{"a": 2}'),
    ]


@pytest.mark.parametrize("text", [b"", b"\n", b"\n \r\n"])
def test_a_file_without_events_is_read_to_its_end(text: bytes, tmp_path: Path) -> None:
    path = tmp_path / "e.jsonl"
    path.write_bytes(text)
    assert reading(JsonLinesFile("s", str(path)), str(path)) == []


@pytest.mark.parametrize("name", ["e.jsonl", "e.jsonl.gz"])
def test_a_line_longer_than_a_block_is_one_event(name: str) -> None:
    long = b'{"a": "' + b"x" * (3 * lines_module.BLOCK) + b'"}'
    parts = partitions_of(b"1\n" + long + b"\n2\n", 1 << 25, reading, name)
    assert parts == [[(0, b"1"), (2, long), (3 + len(long), b"2")]]


def test_a_line_too_long_is_cut_so_that_it_is_refused_and_reading_goes_on(tmp_path: Path) -> None:
    path, size = tmp_path / "e.jsonl", lines_module.LONGEST_LINE
    with path.open("wb") as file:
        file.write(b'{"a": 1}\n{"a": "')
        for _ in range(size // lines_module.BLOCK + 1):
            file.write(b"x" * lines_module.BLOCK)
        file.write(b'"}\n{"a": 3}\n')
    source = JsonLinesFile("s", str(path))
    events = [event for name in source.partitions() for event in reading(source, name)]
    assert [offset for offset, _ in events] == [0, 9, path.stat().st_size - 9]
    cut = events[1][1]
    assert len(cut) < lines_module.BLOCK
    assert b"the line is cut here" in cut
    with pytest.raises(json.JSONDecodeError):
        json.loads(cut)
    assert events[2][1] == b'{"a": 3}'


@pytest.mark.parametrize("name", ["e.jsonl", "e.jsonl.gz"])
def test_a_file_that_shrank_is_refused(name: str, tmp_path: Path) -> None:
    path = tmp_path / name
    text = b'{"a": 1}\n'
    path.write_bytes(gzip.compress(text) if name.endswith("gz") else text)
    with pytest.raises(SourceError, match=r"ends before byte 9.*give other events another file"):
        JsonLinesFile("s", str(path)).open(str(path), 9)


def test_all_before_the_broken_place_of_a_compressed_file_is_read(tmp_path: Path) -> None:
    path = tmp_path / "e.jsonl.gz"
    lines = [json.dumps({"n": n, "x": str(n**9)}).encode() for n in range(40_000)]
    packed = gzip.compress(b"\n".join(lines))
    path.write_bytes(packed[: len(packed) * 2 // 3])
    seen = []

    def read_on() -> None:
        nonlocal seen
        with closing(JsonLinesFile("s", str(path)).open(str(path), None)) as partition:
            while True:
                seen += partition.next_block(0).events.documents  # type: ignore[union-attr]

    with pytest.raises(SourceError, match=rf"cannot read {path} at byte \d+: .*end-of-stream"):
        read_on()
    assert len(seen) > len(lines) // 2
    assert seen == lines[: len(seen)]


def test_a_file_that_vanished_is_an_error_that_names_it(tmp_path: Path) -> None:
    source = JsonLinesFile("s", str(tmp_path / "e.jsonl"))
    with pytest.raises(SourceError, match=r"cannot read .*e\.jsonl: No such file"):
        source.open(source.path, None)


def test_a_file_that_was_replaced_by_a_longer_one_is_reported(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "e.jsonl"
    source = JsonLinesFile("s", str(path))
    path.write_bytes(b'{"a": 1}\n{"a": 2}')
    reading(source, str(path), 16)
    path.write_bytes(b'{"a": 1}\n{"a": 2}\n{"a": 3}\n')
    assert [event for _, event in reading(source, str(path), 16)] == [b'{"a": 3}']
    assert capsys.readouterr().err == ""
    path.write_bytes(b'{"a": "another"}\n{"a": 4}\n')
    reading(source, str(path), 14)
    said = capsys.readouterr().err
    assert f"{path}: it was read up to byte 14, which is in the middle of a line now" in said
