"""Patience: waiting out an outage of the store instead of ending with it."""

import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

from featurestore.errors import StoreBusy, StoreUnreachable, without_password
from flows.stop import Stop

FIRST_CONTACT_SECONDS = 5.0
SHORTEST_WAIT, LONGEST_WAIT = 0.05, 2.0


class Progress(Protocol):
    """What is tried again."""

    url: str
    flushes: int
    met: bool


@dataclass
class Patience:
    """Tries again while the store is away: loading, restarting, out of memory, failing over.

    An outage ends with the next flush that is committed. A store that was never met is more likely
    a wrong URL, so patience is short then.

    Attributes:
        limit_s: How long an outage may be.
        stop: Ends the waiting.
    """

    limit_s: float
    stop: Stop
    now: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep
    _since: float | None = None
    _tries: int = 0
    _flushes: int = field(default=0)

    def insist(self, run: Callable[[], None], progress: Progress) -> None:
        """Run until it succeeds.

        Args:
            run: What to do; it can be done again after an error.
            progress: Whose flushes tell whether it got anywhere, and that knows whether it ever met
                the store.

        Raises:
            StoreUnreachable: The store was away for longer than the limit.
            StoreBusy: It refused for longer than that.
            FeatureStoreError: Any other error, at once.
        """
        while True:
            try:
                run()
            except (StoreUnreachable, StoreBusy) as error:
                self._notice(error, progress)
                if self._is_over(progress):
                    raise
                self._wait()
            else:
                return

    def _notice(self, error: Exception, progress: Progress) -> None:
        if self._since is None or progress.flushes > self._flushes:
            self._since, self._tries, self._flushes = self.now(), 0, progress.flushes
            url = without_password(progress.url)
            cause = str(error) if url in str(error) else f"{url}: {error}"
            text = f"{cause}; nothing is lost, trying again for {self._limit(progress):g} s"
            sys.stderr.write(text + "\n")
            sys.stderr.flush()
        self._tries += 1

    def _limit(self, progress: Progress) -> float:
        return self.limit_s if progress.met else min(self.limit_s, FIRST_CONTACT_SECONDS)

    def _is_over(self, progress: Progress) -> bool:
        assert self._since is not None
        return self.stop.signalled or self.now() - self._since >= self._limit(progress)

    def _wait(self) -> None:
        """Wait a little, twice as long each time; a signal ends it."""
        until = self.now() + min(SHORTEST_WAIT * 2 ** (self._tries - 1), LONGEST_WAIT)
        while not self.stop.signalled and (left := until - self.now()) > 0:
            self.sleep(min(left, 0.1))
