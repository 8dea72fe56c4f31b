"""On-demand features: functions over the vector and what only the request knows.

A function gets two mappings of numpy arrays, one value per entity, and returns a third:

===================  ==================  ==========================
type                 array               null
===================  ==================  ==========================
float, int, bool     float64             NaN
vector, as an input  float64, a row each a row of NaN
str                  object              None
datetime             datetime64[us] UTC  NaT
date                 datetime64[D]       NaT
===================  ==================  ==========================

So ``a / b``, ``np.log``, ``np.maximum`` do with nulls what one expects: any operation on one gives
one. In what it returns a number that is not finite, such as a division by zero, is null, as in
expressions. Whole numbers are exact up to 2**53; identifiers belong into text.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from functools import cached_property
from inspect import iscoroutinefunction, signature
from typing import Any, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

from featurestore.definitions.contract import Kind, unwrap
from featurestore.definitions.problems import report
from featurestore.definitions.served import Served, selection_of, served_of, unknown_in
from featurestore.definitions.view import FeatureView, Selection

NOW = "now"  # what every function finds in its context: the moment of the request

Arrays: TypeAlias = Mapping[str, npt.NDArray[Any]]
Function: TypeAlias = Callable[[Arrays, Arrays], Mapping[str, Any]]

_KINDS: dict[object, Kind] = {
    float: Kind.FLOAT,
    int: Kind.INT,
    bool: Kind.BOOL,
    str: Kind.TEXT,
    datetime: Kind.DATETIME,
    date: Kind.DATE,
}


class Declared(NamedTuple):
    """What a value of the context must be."""

    kind: Kind
    nullable: bool

    def __str__(self) -> str:
        return f"{self.kind.value}{'?' if self.nullable else ''}"


@dataclass(frozen=True, eq=False)
class OnDemand:
    """Features that are computed when they are asked for; made by `on_demand`.

    Calling it calls the function, so that a test needs arrays and nothing else.

    Attributes:
        function: What computes them.
        name: Its name, in messages.
        inputs: The features it is given.
        context: What a request must bring along, with types; ``float | None`` may be missing.
        returns: The features it gives, with types; any value may be null.
    """

    function: Function
    name: str = field(kw_only=True)
    inputs: Sequence[FeatureView | Selection] = field(kw_only=True)
    context: Mapping[str, Any] = field(kw_only=True)
    returns: Mapping[str, Any] = field(kw_only=True)

    def __post_init__(self) -> None:
        self.__dict__.update(__wrapped__=self.function, __doc__=self.function.__doc__)
        report([f"on-demand feature {self.name!r}: {problem}" for problem in self._problems()])

    def __call__(self, features: Arrays, context: Arrays) -> Mapping[str, Any]:
        """Return what the function returns, unchecked; numpy does not warn of nulls."""
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            return self.function(features, context)

    @cached_property
    def needs(self) -> list[Served]:
        """The features it is given, under the names it finds them by."""
        return [served for part in self._selections for served in served_of(part)]

    @cached_property
    def declared(self) -> dict[str, Declared]:
        """What it must find in the context, the moment of the request aside."""
        found = {name: unwrap(annotation) for name, annotation in self.context.items()}
        return {
            name: Declared(_KINDS[inner], optional)
            for name, (inner, optional) in found.items()
            if _is_kind(inner)
        }

    @cached_property
    def kinds(self) -> dict[str, Kind]:
        """What each of its features holds."""
        found = {name: unwrap(annotation)[0] for name, annotation in self.returns.items()}
        return {name: _KINDS[inner] for name, inner in found.items() if _is_kind(inner)}

    @property
    def _selections(self) -> list[Selection]:
        parts = [part for part in self.inputs if isinstance(part, FeatureView | Selection)]
        return [selection_of(part) for part in parts]

    def _problems(self) -> list[str]:
        problems = [
            f"input {part!r} is no view and no part of one, as in view.select('spent_1h')"
            for part in self.inputs
            if not isinstance(part, FeatureView | Selection)
        ]
        problems += [wrong for selection in self._selections for wrong in unknown_in(selection)]
        names = [served.name for served in self.needs]
        problems += [
            f"two inputs are named {name!r}; rename one, as in view.prefix('other_')"
            for name in sorted({name for name in names if names.count(name) > 1})
        ]
        if NOW in self.context:
            problems.append(f"context {NOW!r} is there without being declared; drop or rename it")
        problems += _type_problems("context", self.context)
        problems += _type_problems("returns", self.returns)
        if not self.returns:
            problems.append("it returns nothing; name at least one feature with its type")
        return problems + self._call_problems()

    def _call_problems(self) -> list[str]:
        if iscoroutinefunction(self.function):
            return ["it is async, but is called between two requests; write a plain function"]
        try:
            signature(self.function).bind(None, None)
        except TypeError as error:
            return [f"it must take (features, context): {error}"]
        return []


def on_demand(
    *,
    returns: Mapping[str, Any],
    inputs: Sequence[FeatureView | Selection] = (),
    context: Mapping[str, Any] | None = None,
) -> Callable[[Function], OnDemand]:
    """Make on-demand features of a function of ``(features, context)``.

    Args:
        returns: The features it gives, with types, as in ``{"ratio": float}``.
        inputs: The features it is given: views, or parts of them.
        context: What a request must bring along, with types; ``float | None`` may be missing. The
            moment of the request, ``context["now"]``, is always there.

    Raises:
        DefinitionError: An input is not there, a type is none that features have.

    Cost: some 20 µs per function and request, whatever the number of entities, and its own time.

    >>> @on_demand(context={"amount": float}, returns={"is_round": bool})
    ... def roundness(features, context):
    ...     return {"is_round": context["amount"] % 10 == 0}
    >>> roundness({}, {"amount": np.array([20.0, 7.5])})
    {'is_round': array([ True, False])}
    """

    def made(function: Function) -> OnDemand:
        name = getattr(function, "__name__", type(function).__name__)
        return OnDemand(function, name=name, inputs=inputs, context=context or {}, returns=returns)

    return made


def _type_problems(role: str, types: Mapping[str, Any]) -> list[str]:
    known = ", ".join(str(kind.value) for kind in _KINDS.values())
    return [
        f"{role} {name!r}: {getattr(annotation, '__name__', annotation)} must be one of {known}"
        for name, annotation in types.items()
        if not _is_kind(unwrap(annotation)[0])
    ]


def _is_kind(annotation: object) -> bool:
    return isinstance(annotation, type) and annotation in _KINDS
