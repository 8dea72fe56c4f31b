"""Several files as one source: their partitions, one behind the other."""

from collections.abc import Sequence
from dataclasses import dataclass

from flows.sources.source import Partition, Source


@dataclass(frozen=True)
class Several:
    """Bounded sources of one stream, read as one.

    Args:
        stream: The stream's name.
        sources: The sources, in the order they are read.
    """

    stream: str
    sources: Sequence[Source]
    bounded: bool = True

    def partitions(self) -> list[str]:
        """Name the partitions of all of them."""
        return [name for source in self.sources for name in source.partitions()]

    def open(self, partition: str, after: int | None) -> Partition:
        """Return a partition of the one that has it."""
        path = partition.rpartition("#")[0]
        named = {source.partitions()[0]: source for source in self.sources}
        return (named.get(partition) or named[path]).open(partition, after)
