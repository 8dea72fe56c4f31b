"""The summary of a run: how many events were read, applied, rejected."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from featurestore.contracts.rejection import Reason
from flows.steps import Chunk


@dataclass
class Summary:
    """Counts of one run; events that were committed before it are not in them."""

    counts: Counter[str] = field(default_factory=Counter)

    def add(self, chunks: Sequence[Chunk], held: Mapping[str, int]) -> None:
        """Count chunks, but what the store held already."""
        for chunk in chunks:
            limit = held[chunk.partition]
            applied = int(np.count_nonzero(chunk.offsets > limit))
            reasons = [r.reason.value for r in chunk.rejected if r.offset > limit]
            self.counts.update(reasons)
            self.counts["applied"] += applied
            self.counts["read"] += applied + len(reasons)

    def merge(self, other: "Summary") -> None:
        """Add another worker's counts."""
        self.counts.update(other.counts)

    @property
    def rejected(self) -> int:
        """How many events broke their contract."""
        return self.counts[Reason.MALFORMED] + self.counts[Reason.INVALID]

    def lines(self) -> list[str]:
        """Say it in lines for people and for grep.

        >>> Summary(Counter(read=3, applied=2, invalid=1)).lines()
        ['read 3', 'applied 2', 'late 0', 'future 0', 'rejected 1 (malformed 0, invalid 1)', \
'duplicate 0']
        """
        count = self.counts
        return [
            f"read {count['read']}",
            f"applied {count['applied']}",
            f"late {count['late']}",
            f"future {count['future']}",
            f"rejected {self.rejected} (malformed {count['malformed']}, invalid {count['invalid']})",
            f"duplicate {count['duplicate']}",
        ]
