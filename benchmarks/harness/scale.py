"""The scale: how much is measured, and how often."""

from dataclasses import dataclass, replace
from typing import Self


@dataclass(frozen=True)
class Scale:
    """How much is measured.

    Attributes:
        events: Events of an ingest run.
        entities: Users they are about.
        few_events: Events of an ingest run of a slow peer.
        runs: So many rounds; in each, we and the peer are measured one after the other.
        seconds: Of load per figure.
        connections: How many connections look-ups come over.
        entity_steps: Over how many entities growth is measured.
        skews: How events spread over users.
        processes: With how many worker processes.
        axes: Along what the growth of an event's cost is measured, besides entities.
        windowing: Against which windows of Bytewax.
        is_smoke: Leave out what takes long and breaks no sooner.
        peers: Whether to measure other engines and stores, each installed on first use.
    """

    events: int = 1_000_000
    entities: int = 100_000
    few_events: int = 20_000
    runs: int = 5
    seconds: float = 4.0
    connections: tuple[int, ...] = (1, 64)
    entity_steps: tuple[int, ...] = (10_000, 100_000, 1_000_000, 10_000_000)
    skews: tuple[str, ...] = ("zipf", "uniform")
    processes: tuple[int, ...] = (1, 2)
    axes: tuple[str, ...] = ("aggregations", "windows", "views")
    windowing: tuple[str, ...] = ("sliding", "tumbling")
    is_smoke: bool = False
    peers: bool = False

    def longer(self, times: int) -> Self:
        """Return the scale with so many times the events: what a start takes is a small part."""
        return replace(self, events=times * self.events)


# A smoke: each claim runs through, and its figures mean nothing.
QUICK = Scale(
    events=4_000,
    entities=500,
    few_events=300,
    runs=1,
    seconds=0.2,
    connections=(4,),
    entity_steps=(500,),
    skews=("zipf",),
    processes=(1,),
    axes=("views",),
    windowing=("sliding",),
    is_smoke=True,
)
