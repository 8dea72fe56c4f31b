"""What an aggregation takes and gives: the half of it that definitions know.

Each has a file in `featurestore.definitions.aggregations` with what the user writes, its checks and
the type of its result, and one of the same name in `featurestore.aggregation.kernels` with what is
kept of the events and how the result comes of it. `AGGREGATIONS` joins the two by name.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from featurestore.definitions.contract import Kind
from featurestore.definitions.keeping import Keeps

Kinds = Sequence[Kind]


def number(kinds: Kinds) -> Kind:
    """An int for ints and booleans, else a float; a vector for vectors."""
    return kinds[0] if kinds[0] in {Kind.FLOAT, Kind.VECTOR} else Kind.INT


def average(kinds: Kinds) -> Kind:
    """A float; a vector for vectors."""
    return Kind.VECTOR if kinds[0] is Kind.VECTOR else Kind.FLOAT


def components(kinds: Kinds) -> Kind | None:
    """What the components of a vector are; None for all other kinds."""
    return Kind.FLOAT if kinds[0] is Kind.VECTOR else None


def same(kinds: Kinds) -> Kind:
    """The kind of the first column."""
    return kinds[0]


def always(kind: Kind) -> Callable[[Kinds], Kind]:
    """The same kind whatever the columns."""
    return lambda kinds: kind  # noqa: ARG005 - a rule has this shape


@dataclass(frozen=True, slots=True)
class Aggregation:
    """The rules of one aggregation.

    Attributes:
        name: Its name.
        gives: The kind of its result by the kinds of its columns.
        items: The kind of the items where the result is a list, or of the keys where it is a map.
        numbers: Which of its columns must be numbers, by place.
        vectors: Whether its column may be a vector instead.
        counts: Whether it is 0, not missing, where there are no events.
        invertible: Whether an event can be taken out again without looking at all the others.
        keeps: What a tile holds for it, by name: measures of the same columns share what has the
            same name. Parameters stand in braces where they tell it from others.
    """

    name: str
    gives: Callable[[Kinds], Kind]
    items: Callable[[Kinds], Kind | None] | None = None
    numbers: Sequence[int] = ()
    vectors: bool = False
    counts: bool = False
    invertible: bool = False
    keeps: Mapping[str, Keeps] = field(default_factory=dict)


AGGREGATIONS: dict[str, Aggregation] = {}


def register(aggregation: Aggregation) -> str:
    """Make an aggregation known; returns its name."""
    AGGREGATIONS[aggregation.name] = aggregation
    return aggregation.name
