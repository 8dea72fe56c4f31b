"""Processes: commands that run side by side, each with a log, and are stopped together."""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from featurestore.errors import FeatureStoreError

_STOP_SECONDS = 20
_LOG_LINES = 8
_POLL_SECONDS = 0.05


@dataclass
class Processes:
    """Commands under way.

    Attributes:
        folder: Where their logs are kept.
    """

    folder: Path
    _running: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    def start(self, name: str, arguments: Sequence[str]) -> None:
        """Start ``python -m arguments...`` under a name; in the place of one that has ended.

        It has a session of its own: a Ctrl-C reaches this process alone, which stops it in turn.
        """
        with self._log(name).open("wb") as log:
            self._running[name] = subprocess.Popen(  # noqa: S603 - our own commands
                [sys.executable, "-m", *arguments],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                env=os.environ | {"PYTHONUNBUFFERED": "1"},
            )

    def said(self, name: str, what: re.Pattern[str], seconds: float) -> re.Match[str] | None:
        """Wait until one has said something; None if it ends without.

        Raises:
            FeatureStoreError: It neither said so nor ended for so long.
        """
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            ended = self._running[name].poll() is not None
            found = what.search(self._log(name).read_text(errors="replace"))
            if found or ended:
                return found
            time.sleep(_POLL_SECONDS)
        msg = f"{name} does not start within {seconds:g} s"
        raise FeatureStoreError(msg)

    def check(self) -> None:
        """Make sure that all are alive.

        Raises:
            FeatureStoreError: One has ended; has the end of its log.
        """
        for name, process in self._running.items():
            if process.poll() is not None:
                raise self.ended(name)

    def ended(self, name: str) -> FeatureStoreError:
        """Return what there is to say of one that has ended, with the end of its log."""
        said = self._log(name).read_text(errors="replace").splitlines()[-_LOG_LINES:]
        code = self._running[name].returncode
        return FeatureStoreError(f"{name} ended with {code}; its log ends:\n" + "\n".join(said))

    def stop(self) -> None:
        """Ask one after the other to end, the last one started first; kill who does not."""
        for name in reversed(list(self._running)):
            process = self._running.pop(name)
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(_STOP_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    def _log(self, name: str) -> Path:
        return self.folder / f"{name}.log"


@contextmanager
def side_by_side(folder: Path) -> Iterator[Processes]:
    """Yield `Processes`, and stop them however this ends."""
    processes = Processes(folder)
    try:
        yield processes
    finally:
        processes.stop()
