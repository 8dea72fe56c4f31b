"""Computing: the on-demand part of a vector, called once for all entities of a request."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from traceback import extract_tb
from typing import Any, NamedTuple

from featurestore.aggregation.series import Series, Value
from featurestore.definitions.contract import Kind
from featurestore.definitions.foreign import Foreign, own_frames
from featurestore.definitions.on_demand import NOW, OnDemand
from featurestore.definitions.served import Served
from featurestore.definitions.service import Computed, Place
from featurestore.errors import OnDemandFailed, has, hint
from featurestore.serving.arrays import array_of, values_of
from featurestore.serving.context import Context
from featurestore.serving.reads import ColumnWise, Reads


class _Call(NamedTuple):
    """One function of a service.

    Attributes:
        function: The function.
        inputs: For each of its inputs where that stands in what is read.
        outputs: The features wanted of it, with the places they go to.
    """

    function: OnDemand
    inputs: Mapping[str, int]
    outputs: Mapping[str, int]


@dataclass(frozen=True)
class Computing:
    """Makes vectors of what was read, by calling functions.

    Attributes:
        read: The features that are read.
        kept: Where those of them go that stand in the vector: place read, place there.
        calls: The functions.
    """

    read: Sequence[Served]
    kept: Sequence[tuple[int, int]]
    calls: Sequence[_Call]

    @classmethod
    def of(cls, places: Sequence[Place], read: Sequence[Served]) -> "Computing":
        """Work out which functions give which places."""
        known = {place_key(served): number for number, served in enumerate(read)}
        kept = [
            (known[place_key(place)], number)
            for number, place in enumerate(places)
            if isinstance(place, Served)
        ]
        functions = {id(p.by): p.by for p in places if isinstance(p, Computed)}
        return cls(read, kept, [_call(each, places, known) for each in functions.values()])

    def vectors(self, reads: Reads, context: Context) -> Reads:
        """Return the vectors and the event times behind their values.

        Args:
            reads: What was read.
            context: What the functions are given, the moment of the request included.

        Raises:
            OnDemandFailed: A function raised, or gave something else than it promised.
        """
        series = reads.series([served.kind for served in self.read])
        times = reads.newest(len(self.read))
        found = {to: series[place] for place, to in self.kept}
        newest = {to: times[place] for place, to in self.kept}
        count = len(context[NOW])
        for call in self.calls:
            found |= self._computed(call, series, context, count)
            behind = _newest([times[place].plain() for place in call.inputs.values()], count)
            newest |= dict.fromkeys(call.outputs.values(), Series(behind, Kind.DATETIME))
        columns = [found[place] for place in range(len(found))]
        moments = [newest[place] for place in range(len(newest))]
        return ColumnWise(columns, moments)

    def _computed(
        self, call: _Call, series: Sequence[Series], context: Context, count: int
    ) -> dict[int, Series]:
        function = call.function
        features = {
            name: array_of(series[place].plain(), self.read[place].kind, self.read[place].size)
            for name, place in call.inputs.items()
        }
        known = {*function.declared, NOW}
        mine = {name: array for name, array in context.items() if name in known}
        given: Any = None
        with Foreign() as code:
            given = function(_Named(features), _Named(mine))
        if code.failure is not None:
            raise _raised(function, code.failure) from code.failure
        _check_names(function, given)
        return {
            to: Series(_checked(function, name, given[name], count), function.promised[name].kind)
            for name, to in call.outputs.items()
        }


def place_key(served: Served) -> tuple[int, str]:
    """Return what tells whether two places are read as one."""
    return id(served.view), served.feature.name


def _call(
    function: OnDemand, places: Sequence[Place], known: Mapping[tuple[int, str], int]
) -> _Call:
    outputs = {
        place.name: number
        for number, place in enumerate(places)
        if isinstance(place, Computed) and place.by is function
    }
    return _Call(function, {s.name: known[place_key(s)] for s in function.needs}, outputs)


def _newest(moments: Sequence[Sequence[Any]], count: int) -> list[Value]:
    """Return for each entity the newest of the event times behind a function's inputs."""
    if not moments:
        return [None] * count
    each = zip(*moments, strict=True)
    return [max((at for at in mine if at is not None), default=None) for mine in each]


def _check_names(function: OnDemand, given: object) -> None:
    if not isinstance(given, Mapping):
        kind = type(given).__name__
        raise OnDemandFailed(function.name, f"must return a mapping by name, got {kind}")
    names = sorted(str(name) for name in given)
    if {*given} != {*function.promised}:
        expected = ", ".join(function.promised)
        raise OnDemandFailed(function.name, f"must return {expected} and nothing else {has(names)}")


def _checked(function: OnDemand, name: str, given: object, count: int) -> list[Value]:
    try:
        declared = function.promised[name]
        return values_of(given, declared.kind, count, declared.size)
    except ValueError as error:
        raise OnDemandFailed(function.name, f"returned {name!r}, which {error}") from error


class _Named(dict[str, Any]):
    """Arrays by name that say what there is when another is asked for."""

    def __missing__(self, name: str) -> Any:
        msg = f"there is no {name!r} {has([*self])}{hint(name, self)}"
        raise KeyError(msg)


def _raised(function: OnDemand, error: Exception) -> OnDemandFailed:
    frame = (own_frames(error) or extract_tb(error.__traceback__))[-1]
    said = error.args[0] if isinstance(error, KeyError) and error.args else error
    what = f"raised {type(error).__name__} in line {frame.lineno} ({frame.name}): {said}"
    return OnDemandFailed(function.name, what)
