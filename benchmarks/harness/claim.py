"""A claim: samples of ours and of what stands beside it, taken in turn, and their ratio."""

import statistics
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from benchmarks.harness.machine import Spent


@dataclass(frozen=True)
class Sample:
    """One measurement.

    Attributes:
        value: The figure.
        spent: What taking it cost.
        work: How many events or requests that was, for the CPU of one.
        also: Other figures taken with it, by name.
    """

    value: float
    spent: Spent | None = None
    work: float = 0.0
    also: Mapping[str, float] = field(default_factory=dict)

    def cpu_us(self, name: str) -> float:
        """Return the CPU microseconds per event or request that one share spent."""
        return self.spent.cpu[name] / self.work * 1e6 if self.spent and self.work else 0.0


Samples = Sequence[Sample]


@dataclass(frozen=True)
class Row:
    """A line of the table.

    Attributes:
        claim: The claim it belongs to.
        what: What was measured.
        unit: Of what; ``/s`` means more is better.
        ours: Our samples.
        beside: What stands beside them: a peer or a limit; None for a figure alone.
        theirs: Its samples, each taken next to ours of the same number.
        target: What the ratio (or the figure, if alone) should be.
        note: What must be known to judge it.
        series: Points of a plot, as (x, y), by the name of the line; the name of x is `axis`.
    """

    claim: str
    what: str
    unit: str
    ours: Samples
    beside: str | None = None
    theirs: Samples = ()
    target: str = ""
    note: str = ""
    axis: str = ""
    series: Mapping[str, Sequence[tuple[float, float]]] = field(default_factory=dict)

    @property
    def value(self) -> float:
        """The median of ours."""
        return middle(self.ours)

    @property
    def their_value(self) -> float | None:
        """The median of theirs."""
        return middle(self.theirs) if self.theirs else None

    @property
    def ratio(self) -> float | None:
        """The median over rounds of ours divided by theirs; None where theirs was too small."""
        pairs = zip(self.ours, self.theirs, strict=True) if self.theirs else ()
        ratios = [ours.value / theirs.value for ours, theirs in pairs if theirs.value]
        return statistics.median(ratios) if ratios else None

    def as_json(self) -> dict[str, Any]:
        """Return everything, for `results/figures.json`."""
        return {
            "claim": self.claim,
            "what": self.what,
            "unit": self.unit,
            "ours": self.value,
            "beside": self.beside,
            "theirs": self.their_value,
            "ratio": self.ratio,
            "target": self.target,
            "note": self.note,
            "axis": self.axis,
            "series": self.series,
            "samples": [_sample(sample) for sample in self.ours],
            "their_samples": [_sample(sample) for sample in self.theirs],
        }


def interleaved(runs: int, takes: Mapping[str, Callable[[], Sample]]) -> dict[str, list[Sample]]:
    """Take a sample of each in turn, so many times; every other round in the other order."""
    samples: dict[str, list[Sample]] = {name: [] for name in takes}
    for number in range(runs):
        order = list(takes)[:: 1 if number % 2 == 0 else -1]
        for name in order:
            samples[name].append(takes[name]())
    return samples


def middle(samples: Samples, figure: Callable[[Sample], float] = lambda s: s.value) -> float:
    """Return the median of a figure."""
    return statistics.median(figure(sample) for sample in samples)


def cpu_note(samples: Samples, unit: str) -> str:
    """Say what one event or request costs, by share."""
    shares = _shares(samples)
    costs = [f"{name} {middle(samples, lambda s, n=name: s.cpu_us(n)):.3g}" for name in shares]  # type: ignore[misc] # n is bound
    return f"CPU µs/{unit}: {', '.join(costs)}" if costs else ""


def noise_note(samples: Samples) -> str:
    """Say what the machine lost to others meanwhile."""
    spent = [sample.spent for sample in samples if sample.spent]
    if not spent:
        return ""
    steal = statistics.median(one.steal for one in spent)
    others = statistics.median(one.others for one in spent)
    return f"steal {steal:.2f}, others {others:.2f} cores"


def _shares(samples: Samples) -> Iterator[str]:
    first = samples[0]
    return iter(first.spent.cpu if first.spent and first.work else ())


def _sample(sample: Sample) -> dict[str, Any]:
    spent = sample.spent
    figures: dict[str, Any] = {"value": sample.value, **sample.also}
    if spent:
        figures |= {
            "seconds": spent.seconds,
            "cpu_seconds": dict(spent.cpu),
            "steal_cores": spent.steal,
            "other_cores": spent.others,
        }
    return figures
