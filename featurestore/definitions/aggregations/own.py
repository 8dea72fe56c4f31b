"""own: an aggregation that the user brings."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any

from featurestore.definitions.aggregation import Aggregation, always, register
from featurestore.definitions.contract import Kind
from featurestore.definitions.expression import Expression
from featurestore.definitions.keeping import WORD, Held, Parameters
from featurestore.definitions.measure import Measure, measure

MOST_INPUTS = 16


def _a_state(of: Sequence[Held], parameters: Parameters) -> int:  # noqa: ARG001 - a rule
    """The numbers of the user's state, and of how many events they are."""
    own = parameters["own"]
    assert isinstance(own, OwnAggregation)
    return WORD * (1 + len(own.empty))


OWN_INT, OWN_FLOAT = (
    register(
        Aggregation(name, always(kind), numbers=range(MOST_INPUTS), keeps={"own {own}": _a_state})
    )
    for name, kind in (("own_int", Kind.INT), ("own_float", Kind.FLOAT))
)


class OwnAggregation(ABC):
    """An aggregation over columns of numbers, as algebra over arrays.

    The state of events is some numbers, an int or a float each. `insert` gives the state of each
    single event, `merge` that of each group of states, in whatever order and grouping; the laws are
    those of addition: merging is associative and commutative, and `empty` changes nothing.

    Attributes:
        name: Its name. With `version` it says all that decides what a state means: change the
            version with the code, and rows are computed anew. Where instances differ, so must
            their names.
        version: Which version of it this is.
        empty: The state of no events; an int or a float per name, which says its type.
        gives: What the result is, int or float.

    >>> import numpy as np
    >>> class GeometricMean(OwnAggregation):
    ...     name = "geometric_mean"
    ...     empty = {"logs": 0.0, "n": 0}
    ...     def insert(self, at_us, amounts):
    ...         return {"logs": np.log(amounts), "n": np.ones(len(amounts), int)}
    ...     def merge(self, states, groups):
    ...         return {name: groups.total(state) for name, state in states.items()}
    ...     def result(self, state):
    ...         return np.exp(state["logs"] / state["n"])
    >>> print(own(GeometricMean(), "amount"))
    own_float(amount, own=geometric_mean v1)
    """

    name: str
    empty: Mapping[str, int | float]
    version: int = 1
    gives: type[int] | type[float] = float

    @abstractmethod
    def insert(self, at_us: Any, *columns: Any) -> Mapping[str, Any]:
        """Return the state of each event; arrays of event times and of each column's values.

        Events in which a value is missing are not among them.
        """

    @abstractmethod
    def merge(self, states: Mapping[str, Any], groups: Any) -> Mapping[str, Any]:
        """Return the state of each group of states.

        Args:
            states: An array per name of `empty`.
            groups: Which neighbours belong together: `groups.total(array)`, `.smallest`,
                `.largest` reduce an array group by group; `groups.ids` has each state's group.
        """

    @abstractmethod
    def result(self, state: Mapping[str, Any]) -> Any:
        """Return the value of each state of one event or more; NaN for none."""

    def __str__(self) -> str:
        """Say what decides its states."""
        return f"{self.name} v{self.version}"


def own(
    aggregation: OwnAggregation, *of: Expression | str, where: Expression | str | None = None
) -> Measure:
    """Take an aggregation of one's own over columns of numbers; see `OwnAggregation`."""
    problems: tuple[str, ...] = ()
    if not 0 < len(of) <= MOST_INPUTS:
        problems = (f"name 1 to {MOST_INPUTS} columns, got {len(of)}",)
    wrong = _wrong(aggregation)
    if wrong is not None:
        return measure(OWN_FLOAT, *of, where=where, problems=(*problems, wrong))
    name = OWN_INT if aggregation.gives is int else OWN_FLOAT
    return measure(name, *of, where=where, parameters={"own": aggregation}, problems=problems)


def _wrong(aggregation: object) -> str | None:
    if not isinstance(aggregation, OwnAggregation):
        return f"{aggregation!r} is no OwnAggregation: derive its class from that"
    unsaid = [name for name in ("name", "empty") if not getattr(aggregation, name, None)]
    if unsaid:
        return f"{type(aggregation).__name__} does not say its {' and its '.join(unsaid)}"
    if not all(_is_word(value) for value in aggregation.empty.values()):
        return f"empty of {aggregation} must have ints and floats of 64 bits only"
    return None


def _is_word(value: object) -> bool:
    return type(value) is float or (type(value) is int and abs(value) < 2**63)


def namesakes(features: Mapping[str, Measure]) -> list[str]:
    """Say which features would share their states with others that are computed differently."""
    known: dict[str, OwnAggregation] = {}
    problems = []
    for feature, of in features.items():
        for each in of.everything():
            by = dict(each.parameters).get("own")
            if not isinstance(by, OwnAggregation):
                continue
            state = f"{by} of {', '.join(map(str, each.inputs))}"
            if not _alike(by, known.setdefault(state, by)):
                problems.append(
                    f"feature {feature!r}: two aggregations are called {state}, and are not the "
                    "same; give each a name of its own"
                )
    return problems


def _alike(one: OwnAggregation, other: OwnAggregation) -> bool:
    own, others = (repr(getattr(each, "__dict__", None)) for each in (one, other))
    return type(one) is type(other) and own == others
