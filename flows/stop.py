"""Stopping: why a flow ends before its sources do."""

import signal
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

from featurestore.errors import Fault, FeatureStoreError

_FRAMES = 3


@dataclass
class Stop:
    """Whether a flow must end, and the failure that makes it.

    Attributes:
        signalled: A signal asked it to.
        failure: The first thing that went wrong.
        broken: Whether a step failed, so that what comes behind must not be committed either.

    >>> stop = Stop()
    >>> with stop.on_failure(lambda: "reading"):
    ...     raise FeatureStoreError("the disk is full")
    >>> stop.requested, str(stop.failure)
    (True, 'the disk is full')
    """

    signalled: bool = False
    failure: FeatureStoreError | None = None
    broken: bool = False

    @property
    def requested(self) -> bool:
        """Whether sources must end now."""
        return self.signalled or self.failure is not None

    def on_failure(self, where: Callable[[], str], *, breaks: bool = False) -> "_Guard":
        """Keep an error raised inside, and ask the flow to end; the first one is the cause.

        Args:
            where: Says what is done inside, for an error that was not raised on purpose.
            breaks: Whether what comes behind must not be committed then.
        """
        return _Guard(self, where, breaks)

    def raise_failure(self) -> None:
        """Raise what made the flow end, if anything did; it can be started again then."""
        failure, self.failure, self.broken = self.failure, None, False
        if failure is not None:
            raise failure


@dataclass(frozen=True)
class _Guard:
    """Lets no exception into the engine, which would end the process with a Rust backtrace.

    What was not raised on purpose is turned into a `Fault`: it cannot be handled here, but said.
    """

    stop: Stop
    where: Callable[[], str]
    breaks: bool

    def __enter__(self) -> None:
        pass

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> bool:
        if not isinstance(error, Exception):
            return False
        failure = error if isinstance(error, FeatureStoreError) else _fault(self.where(), error)
        self.stop.failure = self.stop.failure or failure
        self.stop.broken |= self.breaks
        return True


def _fault(where: str, error: Exception) -> Fault:
    frames = traceback.extract_tb(error.__traceback__)[-_FRAMES:]
    at = [f"{Path(frame.filename).name}:{frame.lineno} in {frame.name}" for frame in frames]
    fault = Fault(where, error, " > ".join(at))
    fault.__cause__ = error
    return fault


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
