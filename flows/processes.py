"""Processes: the workers of a flow, each in a process of its own; they share nothing.

A worker that is killed is started again: it takes over its partitions and goes on where the store
says. Workers end when the process that started them does.
"""

import multiprocessing
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from multiprocessing import resource_tracker
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess

from featurestore.definitions.catalog import path_without_definitions
from featurestore.errors import FeatureStoreError
from flows.main import Job, run_worker, staged
from flows.stop import Stop, stop_on_signal
from flows.summary import Summary

_SPAWN = multiprocessing.get_context("spawn")
RESTARTS = 100


@dataclass
class _Worker:
    """One worker: its process, and the pipe on which it says how it ended."""

    number: int
    process: BaseProcess
    ending: Connection
    told_to_stop: bool = False

    def outcome(self) -> Summary | str | None:
        """Return its counts, or what went wrong; None if it was killed."""
        try:
            outcome: Summary | str | None = self.ending.recv() if self.ending.poll() else None
        except EOFError:
            return None
        return outcome


@dataclass
class Processes:
    """Runs a job in several processes.

    Attributes:
        job: The job.
        count: How many processes.
    """

    job: Job
    count: int
    _stage: Job = field(init=False)
    _workers: dict[int, _Worker] = field(default_factory=dict)
    _summary: Summary = field(default_factory=Summary)
    _failure: str | None = None
    _restarts: int = 0

    def run(self) -> Summary:
        """Run all workers until they have ended; return what they counted.

        Raises:
            FeatureStoreError: One failed; the others were told to end first.
        """
        stop = Stop()
        with stop_on_signal(stop), self._reaped():
            for stage in staged(self.job):
                if not stop.signalled and self._failure is None:
                    self._run_stage(stage, stop)
        if self._failure is not None:
            raise FeatureStoreError(self._failure)
        return self._summary

    def _run_stage(self, job: Job, stop: Stop) -> None:
        self._stage = job
        for number in range(self.count):
            self._start(number)
        while self._workers:
            self._watch(stop)

    def _start(self, number: int) -> None:
        ours, theirs = _SPAWN.Pipe(duplex=False)
        process = _SPAWN.Process(
            target=_work, args=(self._stage, number, self.count, theirs), name=f"worker-{number}"
        )
        with path_without_definitions(), _interrupts_held_back():
            process.start()
        theirs.close()
        self._workers[number] = _Worker(number, process, ours)

    def _watch(self, stop: Stop) -> None:
        """Wait for a worker to end, but not for long: a signal may come."""
        wait([worker.process.sentinel for worker in self._workers.values()], timeout=0.2)
        if stop.signalled or self._failure is not None:
            self._tell_to_stop()
        for worker in list(self._workers.values()):
            if not worker.process.is_alive():
                del self._workers[worker.number]
                self._ended(worker, stop)

    def _ended(self, worker: _Worker, stop: Stop) -> None:
        worker.process.join()
        outcome = worker.outcome()
        worker.ending.close()
        if isinstance(outcome, Summary):
            self._summary.merge(outcome)
        elif outcome is not None:
            self._failure = self._failure or outcome
        elif not stop.signalled and self._failure is None:
            self._died(worker)

    def _died(self, worker: _Worker) -> None:
        code = worker.process.exitcode or 0
        how = f"was killed by signal {-code}" if code < 0 else f"ended with code {code}"
        self._restarts += 1
        if code >= 0 or self._restarts > RESTARTS:
            self._failure = f"worker {worker.number} {how}; nothing is lost, start the flow again"
            return
        sys.stderr.write(
            f"worker {worker.number} {how}; it is started again and loses no event, but what it "
            "had counted is missing below\n"
        )
        self._start(worker.number)

    def _tell_to_stop(self) -> None:
        for worker in self._workers.values():
            if not worker.told_to_stop and worker.process.is_alive():
                worker.told_to_stop = True
                worker.process.terminate()

    @contextmanager
    def _reaped(self) -> Iterator[None]:
        """Leave no process behind, whatever happens."""
        try:
            yield
        finally:
            for worker in self._workers.values():
                worker.process.kill()
                worker.process.join()


def _work(job: Job, number: int, count: int, ending: Connection) -> None:
    """Run one worker; its failure travels as text."""
    stop = Stop()
    threading.Thread(target=_end_with_parent, args=(stop,), daemon=True).start()
    with stop_on_signal(stop):
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
        try:
            outcome: Summary | str = run_worker(job, number, count, stop)
        except FeatureStoreError as error:
            outcome = str(error)
        with suppress(BrokenPipeError):  # who started it may be gone
            ending.send(outcome)


@contextmanager
def _interrupts_held_back() -> Iterator[None]:
    """Hold Ctrl-C back, also in a worker that is started meanwhile, until it can take it."""
    resource_tracker.ensure_running()  # it is started with the first worker, and lets them through
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})


def _end_with_parent(stop: Stop) -> None:
    parent = multiprocessing.parent_process()
    assert parent is not None
    wait([parent.sentinel])
    stop.signalled = True
