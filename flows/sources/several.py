"""Several files as one source: their partitions, one behind the other."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

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
        source = self._by_name.get(partition) or self._by_name[path]
        return source.open(partition, after)

    @cached_property
    def _by_name(self) -> dict[str, Source]:
        """The sources by their first partitions; naming them may cost a look into each file."""
        return {source.partitions()[0]: source for source in self.sources}
