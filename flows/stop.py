"""Stopping: why a flow ends before its sources do."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from featurestore.errors import FeatureStoreError


@dataclass
class Stop:
    """Whether a flow must end, and the failure that makes it.

    >>> stop = Stop()
    >>> with stop.on_failure():
    ...     raise FeatureStoreError("the disk is full")
    >>> stop.requested, str(stop.failure)
    (True, 'the disk is full')
    """

    requested: bool = False
    failure: FeatureStoreError | None = None

    @contextmanager
    def on_failure(self) -> Iterator[None]:
        """Keep an error raised inside, and ask the flow to end; the first one is the cause."""
        try:
            yield
        except FeatureStoreError as error:
            self.requested = True
            self.failure = self.failure or error

    def raise_failure(self) -> None:
        """Raise what made the flow end, if anything did."""
        if self.failure is not None:
            raise self.failure


@contextmanager
def stop_on_signal(stop: Stop) -> Iterator[None]:
    """Let SIGTERM and SIGINT ask the flow to end: what was read is committed first."""

    def ask(*_: object) -> None:
        stop.requested = True

    before = {number: signal.signal(number, ask) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
