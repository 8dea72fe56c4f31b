"""URIs of sources, and what is said about wrong ones."""

import gzip
import os
from pathlib import Path

import pytest
from pydantic import AliasChoices, AliasPath, BaseModel, ConfigDict, Field, model_validator

from featurestore import Stream
from featurestore.errors import SourceError
from flows.sources.columns import wanted_by
from flows.sources.csv_rows import CsvFile
from flows.sources.json_lines import JsonLinesFile
from flows.sources.parquet_rows import ParquetFile
from flows.sources.redis_stream import RedisStream
from flows.sources.standard_input import StandardInput
from flows.sources.uri import parse_source

STORE = "redis://store:6379/0"


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        *[(f"e{e}{z}", JsonLinesFile) for e in (".jsonl", ".ndjson", ".json") for z in ("", ".gz")],
        ("e.csv", CsvFile),
        ("e.csv.gz", CsvFile),
        ("e.parquet", ParquetFile),
        ("E.JSONL", JsonLinesFile),
        ("odd[1]*.csv", CsvFile),
    ],
)
def test_a_file_is_read_as_its_ending_says(
    name: str, kind: type, tmp_path: Path, clicks: Stream
) -> None:
    (tmp_path / name).touch()
    source = parse_source(clicks, str(tmp_path / name), STORE)
    assert isinstance(source, kind)
    assert source.bounded
    assert source.stream == "clicks"


def test_upper_case_endings_of_compressed_files_are_decompressed(
    tmp_path: Path, clicks: Stream, read_all
) -> None:
    (tmp_path / "E.JSONL.GZ").write_bytes(gzip.compress(b"1\n2\n"))
    assert read_all(parse_source(clicks, str(tmp_path / "E.JSONL.GZ"), STORE)) == [b"1", b"2"]


def test_a_file_has_one_name_however_it_is_written(
    tmp_path: Path, clicks: Stream, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "e.jsonl").touch()
    (tmp_path / "link.jsonl").symlink_to(tmp_path / "e.jsonl")
    monkeypatch.chdir(tmp_path)
    ways = [
        "e.jsonl",
        "./e.jsonl",
        str(tmp_path / "e.jsonl"),
        "link.jsonl",
        f"file://{tmp_path}/e.jsonl",
    ]
    names = {parse_source(clicks, way, STORE).partitions()[0] for way in ways}
    assert names == {str((tmp_path / "e.jsonl").resolve())}


def test_a_glob_reads_all_it_matches_by_name_once(tmp_path: Path, clicks: Stream, read_all) -> None:
    for day in ("02", "01"):
        (tmp_path / day).mkdir()
        (tmp_path / day / "e.jsonl").write_bytes(day.encode() + b"\n")
    (tmp_path / "again").symlink_to(tmp_path / "01")
    source = parse_source(clicks, str(tmp_path / "*" / "*.jsonl"), STORE)
    assert read_all(source) == [b"01", b"02"]


def test_stdin_and_what_was_sent_over_http_have_names_of_their_own(clicks: Stream) -> None:
    assert isinstance(parse_source(clicks, "-", STORE), StandardInput)
    sent = parse_source(clicks, "http", STORE)
    assert isinstance(sent, RedisStream)
    assert (sent.url, sent.partitions(), sent.bounded) == (STORE, ["{fs:clicks}!events"], False)


@pytest.mark.parametrize(
    ("uri", "url", "key"),
    [
        ("redis://db:6379/clicks", "redis://db:6379/0", "clicks"),
        ("redis://db/2/clicks", "redis://db/2", "clicks"),
        ("redis://a:b@db/2/a/b", "redis://a:b@db/2", "a/b"),
        ("rediss://db/x%23y?ssl_cert_reqs=none", "rediss://db/0?ssl_cert_reqs=none", "x#y"),
    ],
)
def test_a_redis_uri_names_a_server_and_a_key(uri: str, url: str, key: str, clicks: Stream) -> None:
    source = parse_source(clicks, uri, STORE)
    assert isinstance(source, RedisStream)
    assert (source.url, source.key, source.partitions()) == (url, key, [key])


def message(clicks: Stream, uri: str) -> str:
    with pytest.raises(SourceError) as raised:
        parse_source(clicks, uri, STORE)
    return str(raised.value)


def test_a_file_that_is_not_there_is_named_with_what_is(tmp_path: Path, clicks: Stream) -> None:
    (tmp_path / "payments.jsonl").touch()
    (tmp_path / "notes.txt").touch()
    said = message(clicks, str(tmp_path / "payment.jsonl"))
    assert "payment.jsonl' (has: payments.jsonl); did you mean 'payments.jsonl'?" in said
    assert "there is no folder" in message(clicks, str(tmp_path / "none" / "e.jsonl"))


def test_a_glob_that_matches_nothing_says_where_it_looked(
    tmp_path: Path, clicks: Stream, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert message(clicks, "*.jsonl") == f"no file matches '*.jsonl' (looked from {Path.cwd()})"


def test_an_unknown_ending_is_answered_with_the_known_ones(tmp_path: Path, clicks: Stream) -> None:
    (tmp_path / "e.jsonlines").touch()
    said = message(clicks, str(tmp_path / "e.jsonlines"))
    assert "e.jsonlines' holds by its ending (has: .jsonl, .jsonl.gz" in said
    assert "did you mean '.jsonl'?" in said


def test_a_folder_and_a_pipe_are_answered_with_the_way_out(tmp_path: Path, clicks: Stream) -> None:
    assert f"name its files, as in '{tmp_path}/*.jsonl'" in message(clicks, str(tmp_path))
    os.mkfifo(tmp_path / "pipe.jsonl")
    assert "read a pipe as -" in message(clicks, str(tmp_path / "pipe.jsonl"))
    (tmp_path / "dangling.jsonl").symlink_to(tmp_path / "gone")
    assert message(clicks, str(tmp_path / "dangling.jsonl"))


def test_a_file_that_may_not_be_read_is_named(
    tmp_path: Path, clicks: Stream, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "e.jsonl").touch()

    def refuse(*_: object, **__: object) -> None:  # root may read everything, so it is played
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", refuse)
    assert "e.jsonl: Permission denied" in message(clicks, str(tmp_path / "e.jsonl"))


def test_schemes_to_come_and_schemes_unknown_are_told_apart(clicks: Stream) -> None:
    for scheme in ("kafka", "kinesis", "pubsub"):
        assert "cannot be read yet" in message(clicks, f"{scheme}://host/topic")
    assert "there is no source reddis:// (has: redis://" in message(clicks, "reddis://host/key")
    assert "did you mean 'redis'?" in message(clicks, "reddis://host/key")


def test_a_redis_uri_without_a_key_is_answered_without_its_password(clicks: Stream) -> None:
    for uri in ("redis://ann:secret@db:6379", "redis://ann:secret@db:6379/0"):
        said = message(clicks, uri)
        assert "names no stream: write redis://host:port/key" in said
        assert "secret" not in said


def test_columns_a_contract_may_look_at_are_wanted() -> None:
    class Plain(BaseModel):
        amount: float
        when: str = Field(alias="paid_at")
        who: str = Field(validation_alias=AliasChoices("user", AliasPath("card", "owner")))

    wanted = [
        n for n in ("amount", "paid_at", "user", "card", "card.owner", "x") if wanted_by(Plain)(n)
    ]
    assert wanted == ["amount", "paid_at", "user", "card", "card.owner"]


def test_a_contract_that_judges_the_whole_event_wants_all_columns() -> None:
    class Strict(BaseModel):
        model_config = ConfigDict(extra="forbid")
        amount: float

    class Before(BaseModel):
        amount: float

        @model_validator(mode="before")
        @classmethod
        def look(cls, value: object) -> object:
            return value

    class After(BaseModel):
        amount: float

        @model_validator(mode="after")
        def look(self) -> "After":
            return self

    assert [wanted_by(model)("note") for model in (Strict, Before, After)] == [True, True, False]
