"""A step that breaks ends the flow with one message, and nothing behind it is committed."""

from pathlib import Path

import pytest
import redis

from featurestore.contracts.block import Block
from featurestore.contracts.decoder import Decoder
from featurestore.errors import Fault, StoreError
from flows.main import Job, run_worker
from flows.writer import Writer
from tests.faults.taps import Taps, differences, write_definitions
from tests.faults.trickle import LINES, Trickle


@pytest.fixture
def job(tmp_path: Path, redis_url: str) -> Job:
    source = tmp_path / "taps.jsonl"
    source.write_bytes(TAPS.lines(6000))
    definitions = str(write_definitions(tmp_path))
    return Job(definitions, [("taps", str(source))], redis_url, until_end=True)


TAPS = Taps(5)
SENT = TAPS.sent


def committed(url: str) -> int:
    with redis.Redis.from_url(url) as store:
        return int(store.hget("{fs:taps}!counts", "read") or 0)


def broken(*_: object) -> object:
    msg = "a bug"
    raise KeyError(msg)


def test_a_fault_while_decoding_is_one_message_and_moves_nothing(
    job: Job, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    decode, calls = Decoder.decode, list[object]()

    def second_breaks(decoder: Decoder, events: object) -> object:
        calls.append(events)
        return broken() if len(calls) == 2 else decode(decoder, events)  # type: ignore[arg-type]

    with monkeypatch.context() as patch:
        patch.setattr(Decoder, "decode", second_breaks)
        patch.setattr("flows.main.parse_source", lambda of, path, *_: Trickle(of.name, path, 0))
        patch.setattr("flows.main.BULK_FLUSH_EVENTS", 1)
        with pytest.raises(Fault) as fault:
            run_worker(job)
    message = str(fault.value)
    assert message.startswith("decoding stream 'taps', partition '")
    assert "offsets " in message
    assert "KeyError: 'a bug'" in message
    assert "test_stop.py" in message
    assert "in your definitions' code" in message
    assert capfd.readouterr().err == ""  # no backtrace of anything
    assert committed(job.redis_url) <= LINES
    run_worker(job)
    assert differences(Path(job.definitions), job.redis_url, SENT[-6000:]) == (0, 0)


def test_a_fault_while_committing_is_one_message_and_moves_nothing(
    job: Job, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr("flows.main.BULK_FLUSH_EVENTS", 1)
        patch.setattr(Writer, "_changes", broken)
        with pytest.raises(Fault, match=r"committing stream 'taps', .* up to offset \d+: KeyError"):
            run_worker(job)
    assert capfd.readouterr().err == ""
    assert committed(job.redis_url) == 0
    run_worker(job)
    assert differences(Path(job.definitions), job.redis_url, SENT[-6000:]) == (0, 0)


def test_a_fault_is_not_taken_for_an_outage_of_the_store() -> None:
    assert not issubclass(Fault, StoreError)


def test_a_block_that_says_only_that_time_passed_can_be_named() -> None:
    from flows.dataflow import _of_block  # noqa: PLC0415

    assert (
        _of_block(Block("taps", "p", None, 7, 0)) == "stream 'taps', partition 'p', offsets 7 to 7"
    )
