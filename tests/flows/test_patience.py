"""Waiting out an outage."""

from dataclasses import dataclass, field

import pytest

from featurestore.errors import StoreBusy, StoreRefused, StoreUnreachable
from flows.patience import Patience
from flows.stop import Stop

AWAY = StoreUnreachable("redis://me:secret@here", "connection refused")


@dataclass
class Clock:
    now_s: float = 0.0

    def now(self) -> float:
        return self.now_s

    def sleep(self, seconds: float) -> None:
        self.now_s += seconds


@dataclass
class Job:
    """Fails with what is given, one after the other; None commits a flush first."""

    failures: list[Exception | None]
    url: str = "redis://me:secret@here"
    flushes: int = 0
    met: bool = True
    tries: int = 0
    clock: Clock = field(default_factory=Clock)
    stop: Stop = field(default_factory=Stop)

    def run(self) -> None:
        self.tries += 1
        failure = self.failures.pop(0) if self.failures else None
        if failure is not None:
            raise failure

    def insist(self, limit_s: float = 60) -> None:
        Patience(limit_s, self.stop, self.clock.now, self.clock.sleep).insist(self.run, self)


def test_it_tries_again_until_it_succeeds_and_says_so_once(
    capsys: pytest.CaptureFixture[str],
) -> None:
    job = Job([AWAY] * 5)
    job.insist()
    assert job.tries == 6
    (line,) = capsys.readouterr().err.splitlines()
    assert "redis://me:***@here" in line
    assert "trying again for 60 s" in line


def test_it_gives_up_at_the_limit_with_the_cause() -> None:
    job = Job([AWAY] * 1000)
    with pytest.raises(StoreUnreachable, match="connection refused"):
        job.insist(60)
    assert 60 <= job.clock.now_s < 63
    assert job.tries < 50


def test_a_store_that_was_never_met_is_waited_for_shortly() -> None:
    job = Job([AWAY] * 1000, met=False)
    with pytest.raises(StoreUnreachable):
        job.insist(60)
    assert 5 <= job.clock.now_s < 8


def test_what_cannot_pass_is_not_tried_again() -> None:
    job = Job([StoreRefused("no permission")])
    with pytest.raises(StoreRefused):
        job.insist()
    assert job.tries == 1


def test_a_new_outage_has_its_own_time(capsys: pytest.CaptureFixture[str]) -> None:
    job = Job([AWAY, AWAY, StoreBusy("loading")])
    run = job.run

    def with_progress() -> None:
        job.clock.now_s += 40
        job.flushes += 1
        run()

    Patience(60, job.stop, job.clock.now, job.clock.sleep).insist(with_progress, job)
    assert len(capsys.readouterr().err.splitlines()) == 3


def test_a_signal_ends_the_waiting() -> None:
    job = Job([AWAY] * 1000)
    job.stop.signalled = True
    with pytest.raises(StoreUnreachable):
        job.insist()
    assert job.tries == 1
