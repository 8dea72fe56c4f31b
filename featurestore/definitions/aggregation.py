"""What an aggregation takes and gives: the half of it that definitions know.

Each has a file in `featurestore.definitions.aggregations` with what the user writes, its checks and
the type of its result, and one of the same name in `featurestore.aggregation.kernels` with what is
kept of the events and how the result comes of it. `AGGREGATIONS` joins the two by name.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from featurestore.definitions.contract import Kind

Kinds = Sequence[Kind]
Parameters = Mapping[str, object]


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


def bytes_each(size: int, parameter: str) -> Callable[[Parameters], int]:
    """Return how many bytes so many values have, each of one size.

    >>> bytes_each(16, "n")({"n": 1000})
    16000
    """

    def tile_bytes(parameters: Parameters) -> int:
        count = parameters[parameter]
        return size * count if isinstance(count, int) else 0

    return tile_bytes


def at_most(size: int) -> Callable[[Parameters], int]:
    """The same number of bytes whatever the parameters."""
    return lambda parameters: size  # noqa: ARG005 - a rule has this shape


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
        tile_bytes: What a tile of a busy row holds beyond some words, by its parameters; texts as
            if they had one word each.
    """

    name: str
    gives: Callable[[Kinds], Kind]
    items: Callable[[Kinds], Kind | None] | None = None
    numbers: Sequence[int] = ()
    vectors: bool = False
    counts: bool = False
    invertible: bool = False
    tile_bytes: Callable[[Parameters], int] = lambda parameters: 0  # noqa: ARG005 - most are small


AGGREGATIONS: dict[str, Aggregation] = {}


def register(aggregation: Aggregation) -> str:
    """Make an aggregation known; returns its name."""
    AGGREGATIONS[aggregation.name] = aggregation
    return aggregation.name
