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

    signalled: bool = False
    failure: FeatureStoreError | None = None

    @property
    def requested(self) -> bool:
        """Whether sources must end now."""
        return self.signalled or self.failure is not None

    @contextmanager
    def on_failure(self) -> Iterator[None]:
        """Keep an error raised inside, and ask the flow to end; the first one is the cause."""
        try:
            yield
        except FeatureStoreError as error:
            self.failure = self.failure or error

    def raise_failure(self) -> None:
        """Raise what made the flow end, if anything did; it can be started again then."""
        failure, self.failure = self.failure, None
        if failure is not None:
            raise failure


@contextmanager
def stop_on_signal(stop: Stop) -> Iterator[None]:
    """Let SIGTERM and SIGINT ask the flow to end: what was read is committed first."""

    def ask(*_: object) -> None:
        stop.signalled = True

    before = {number: signal.signal(number, ask) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
