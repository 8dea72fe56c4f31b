"""An open-loop HTTP load: requests at moments drawn beforehand, whether or not others are answered.

A closed loop waits for an answer before it asks again, so a server that stalls is asked less and
the stall counts once. Here time runs from the moment a request was due, also while it waits for one
of the connections. `open_loop.c` makes it, compiled when it is asked for: a loop in Python takes
as much of the cores as the server does, and its own pauses would be what is measured.
"""

import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path
from struct import pack

import numpy as np
import numpy.typing as npt

from benchmarks.harness.load import Answered, Asks, request

COMPILER = "cc"
_SOURCE = Path(__file__).with_suffix(".c")
_TENTH = 0.1  # seconds


@dataclass(frozen=True)
class OpenAnswered(Answered):
    """How requests were answered that did not wait for each other.

    Attributes:
        typical_p99: The p99 of each tenth of a second, and of these the median: what those see who
            come while nothing keeps the machine from running the server.
    """

    typical_p99: float


def open_loop(port: int, asks: Asks, rate: float, connections: int, seconds: float) -> OpenAnswered:
    """Ask for so many seconds, at moments that come at random, so many per second.

    Raises:
        FileNotFoundError: There is no C compiler.
        RuntimeError: An answer was not 200, or none came for 30 s.
    """
    pauses = np.random.default_rng(11).exponential(1 / rate, int(rate * seconds))
    took = asked_at(np.cumsum(pauses), port, asks, connections)
    p50, p99 = np.percentile(took, [50, 99]) * 1000
    elapsed = float(pauses.sum())
    typical = typical_p99(took, elapsed)
    return OpenAnswered(len(took), len(took) / elapsed, float(p50), float(p99), typical)


def typical_p99(took: npt.NDArray[np.float64], seconds: float) -> float:
    """Return the median, over tenths of a second, of the p99 in each, in ms.

    Args:
        took: How long each answer took, in seconds, in their order.
        seconds: In how many seconds they came, about evenly.

    >>> stalled_once = np.where(np.arange(1000) // 100 == 4, 0.05, 0.001)
    >>> typical_p99(stalled_once, seconds=1)
    1.0
    """
    tenths = np.array_split(took, max(1, round(seconds / _TENTH)))
    return float(np.median([np.percentile(tenth, 99) for tenth in tenths])) * 1000


def asked_at(
    due: npt.NDArray[np.float64], port: int, asks: Asks, connections: int
) -> npt.NDArray[np.float64]:
    """Ask at these moments; return how long after each it was answered.

    Args:
        due: When, in seconds after the start, rising.
        port: Of the server.
        asks: What, over and over.
        connections: Over how many connections.

    Returns:
        In the order of the answers, in seconds.

    Raises:
        FileNotFoundError, RuntimeError: As `open_loop`.
    """
    requests = [request(asks.path, body, asks.accept) for body in asks.bodies]
    parts = [part for each in requests for part in (pack("=q", len(each)), each)]
    moments = (due * 1e9).astype(np.int64).tobytes()
    plan = b"".join([pack("=q", len(requests)), *parts, moments])
    with tempfile.TemporaryDirectory() as folder:
        command = [_compiled(Path(folder)), str(port), str(connections)]
        done = subprocess.run(command, input=plan, capture_output=True, check=False)
    if done.returncode:
        raise RuntimeError(done.stderr.decode(errors="replace"))
    return np.frombuffer(done.stdout, np.int64) / 1e9


def _compiled(folder: Path) -> str:
    program = str(folder / "open_loop")
    subprocess.run([COMPILER, "-O2", "-o", program, str(_SOURCE)], check=True)
    return program
