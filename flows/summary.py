"""The summary of a run: how many events were read, applied, rejected."""

from collections import Counter
from dataclasses import dataclass, field

from featurestore.contracts.rejection import Reason


@dataclass
class Summary:
    """Counts of one run; events that were committed before it are not in them."""

    counts: Counter[str] = field(default_factory=Counter)

    def add(self, counts: Counter[str]) -> None:
        """Count what was committed."""
        self.counts.update(counts)

    def merge(self, other: "Summary") -> None:
        """Add another worker's counts."""
        self.counts.update(other.counts)

    @property
    def rejected(self) -> int:
        """How many events broke their contract."""
        return self.counts[Reason.MALFORMED] + self.counts[Reason.INVALID]

    @property
    def has_letters(self) -> bool:
        """Whether any event became a dead letter."""
        return any(self.counts[reason] for reason in Reason)

    def lines(self) -> list[str]:
        """Say it in lines for people and for grep.

        >>> Summary(Counter(read=3, applied=2, invalid=1)).lines()
        ['read 3', 'applied 2', 'late 0', 'future 0', 'rejected 1 (malformed 0, invalid 1)', \
'duplicate 0']
        """
        count = self.counts
        broken = f"malformed {count['malformed']}, invalid {count['invalid']}"
        filtered = [f"filtered {count['filtered']}"] if count["filtered"] else []
        return [
            f"read {count['read']}",
            f"applied {count['applied']}",
            f"late {count['late']}",
            f"future {count['future']}",
            f"rejected {self.rejected} ({broken})",
            f"duplicate {count['duplicate']}",
            *filtered,
        ]
