"""The machine: what a stretch of time cost, and what else went on in it.

Machines are noisy. A figure is printed with the cores that others took while it was measured, and
with the CPU seconds of everyone involved, which are less noisy than the time on the wall.
"""

import os
import platform
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from multiprocessing import get_context
from pathlib import Path

_TICKS = os.sysconf("SC_CLK_TCK")
_PAUSE_SECONDS = 0.001
_IDLE, _IOWAIT, _STEAL = 3, 4, 7


@dataclass(frozen=True)
class Spent:
    """What a stretch of time cost.

    Attributes:
        seconds: On the wall.
        cpu: CPU seconds by who spent them.
        steal: Cores that the hypervisor gave to others.
        others: Cores that processes took which have no part in it.
    """

    seconds: float
    cpu: Mapping[str, float]
    steal: float
    others: float


@dataclass(frozen=True)
class Meter:
    """Measures what work costs.

    Attributes:
        watched: Processes that live longer than the work, by the name of their share; what their
            children spend is theirs.
    """

    watched: Mapping[str, int] = field(default_factory=dict)

    def measure(self, work: Callable[[], Mapping[str, float] | None]) -> Spent:
        """Do work; it may return the CPU seconds of processes that it started and that ended."""
        before = {name: cpu_of(pid) for name, pid in self.watched.items()}
        ours, machine, started = time.process_time(), _machine(), time.perf_counter()
        ended = dict(work() or {})
        seconds = time.perf_counter() - started
        steal, busy = (now - then for now, then in zip(_machine(), machine, strict=True))
        cpu = {name: cpu_of(pid) - before[name] for name, pid in self.watched.items()} | ended
        known = sum(cpu.values()) + time.process_time() - ours
        others = max(0.0, busy - known) / seconds
        return Spent(seconds, cpu, steal / seconds, others)


def cpu_of(pid: int) -> float:
    """Return the CPU seconds that a process and its descendants have spent so far."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        tasks = Path(f"/proc/{pid}/task").iterdir()
        children = [c for task in tasks for c in (task / "children").read_text().split()]
    except (FileNotFoundError, ProcessLookupError):
        return 0.0
    own = sum(int(ticks) for ticks in fields[11:15]) / _TICKS
    return own + sum(cpu_of(int(child)) for child in children)


def pauses(seconds: float) -> list[float]:
    """Return how many ms a loop was kept from going on, each time it was for more than one.

    There is a loop for each core, on a machine that has nothing else to do: what keeps them is
    outside. A loop alone would see little of it, as there would be a core for whatever comes.
    """
    cores = len(os.sched_getaffinity(0))
    with ProcessPoolExecutor(cores, get_context("spawn")) as loops:
        return [pause for found in loops.map(_pauses, [seconds] * cores) for pause in found]


def _pauses(seconds: float) -> list[float]:
    found, last = list[float](), time.perf_counter()
    end = last + seconds
    while last < end:
        now = time.perf_counter()
        if now - last > _PAUSE_SECONDS:
            found.append((now - last) * 1000)
        last = now
    return found


def described() -> dict[str, str]:
    """Say what machine this is."""
    info = Path("/proc/cpuinfo").read_text().splitlines()
    models = [line.partition(":")[2].strip() for line in info if line.startswith("model name")]
    load = " ".join(f"{number:.1f}" for number in os.getloadavg())
    return {
        "cores": str(len(os.sched_getaffinity(0))),
        "processor": models[0] if models else platform.machine(),
        "memory": f"{os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES') / 2**30:.0f} GiB",
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "load before": load,
    }


def _machine() -> tuple[float, float]:
    """Return the seconds that were stolen, and those in which cores were busy, so far."""
    with Path("/proc/stat").open() as file:
        ticks = [int(number) for number in file.readline().split()[1:9]]
    busy = sum(ticks) - ticks[_IDLE] - ticks[_IOWAIT] - ticks[_STEAL]
    return ticks[_STEAL] / _TICKS, busy / _TICKS
