"""Processes that take part: started from the checkout, ended whatever happens."""

import os
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).parents[2]
FEATURESTORE = [sys.executable, "-m", "featurestore"]


def free_port() -> int:
    """Return a port nothing listens on."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


@contextmanager
def running(
    command: Sequence[str], environment: Mapping[str, str] | None = None
) -> Iterator["subprocess.Popen[bytes]"]:
    """Run a process, quietly, and end it afterwards."""
    process = subprocess.Popen(
        command, cwd=ROOT, env=_environment(environment), stdout=subprocess.DEVNULL
    )
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def to_end(command: Sequence[str], environment: Mapping[str, str] | None = None) -> float:
    """Run a process to its end and return the CPU seconds it took, its children's included.

    Raises:
        RuntimeError: It failed.
    """
    with tempfile.TemporaryFile() as errors:
        process = subprocess.Popen(
            command,
            cwd=ROOT,
            env=_environment(environment),
            stdout=subprocess.DEVNULL,
            stderr=errors,
        )
        try:
            _, status, usage = os.wait4(process.pid, 0)
        except BaseException:  # whatever interrupted us, it must not go on without us
            process.kill()
            process.wait()
            raise
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            errors.seek(0)
            said = errors.read().decode()[-3000:]
            msg = f"{' '.join(command)} ended with {process.returncode}: {said}"
            raise RuntimeError(msg)
    return usage.ru_utime + usage.ru_stime


def _environment(more: Mapping[str, str] | None) -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(ROOT), **(more or {})}
