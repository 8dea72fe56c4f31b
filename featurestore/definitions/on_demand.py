"""On-demand features: functions over the vector and what only the request knows.

A function gets two mappings of numpy arrays, one value per entity, and returns a third:

================  ==================  ==========================
type              array               null
================  ==================  ==========================
float, int, bool  float64             NaN
vector            float64, a row each a row of NaN
str               object              None
datetime          datetime64[us] UTC  NaT
date              datetime64[D]       NaT
================  ==================  ==========================

So ``a / b``, ``np.log``, ``np.maximum`` do with nulls what one expects: any operation on one gives
one. In what it returns a number that is not finite, such as a division by zero, is null, as in
expressions, and so is a vector with such a number in it. Whole numbers are exact up to 2**53;
identifiers belong into text. A vector is declared as in a contract:
``Annotated[list[float], Field(min_length=n, max_length=n)]``.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from functools import cached_property
from inspect import iscoroutinefunction, signature
from typing import Any, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt
from pydantic.fields import FieldInfo

from featurestore.definitions.contract import (
    LARGEST_VECTOR,
    Kind,
    fixed_length,
    is_listed_float,
    type_text,
    unwrap,
)
from featurestore.definitions.problems import report
from featurestore.definitions.served import Served, selection_of, served_of, unknown_in
from featurestore.definitions.vectors import CURE
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
    """What a value of the context, or of what a function gives, must be.

    >>> str(Declared(Kind.VECTOR, nullable=True, size=3))
    'vector[3]?'
    """

    kind: Kind
    nullable: bool
    size: int = 0

    @classmethod
    def of(cls, annotation: Any) -> "Declared | None":
        """Return what a type says; None for one that no value here has."""
        inner, optional = unwrap(annotation)
        if isinstance(inner, type) and inner in _KINDS:
            return cls(_KINDS[inner], optional)
        size = fixed_length(FieldInfo.from_annotation(annotation)) if is_listed_float(inner) else 0
        return cls(Kind.VECTOR, optional, size) if 1 <= size <= LARGEST_VECTOR else None

    @property
    def type_text(self) -> str:
        """What it is, whether or not it may be missing."""
        return type_text(self.kind, self.size)

    def __str__(self) -> str:
        return f"{self.type_text}{'?' if self.nullable else ''}"


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
        return _declared(self.context)

    @cached_property
    def promised(self) -> dict[str, Declared]:
        """What each of its features is."""
        return _declared(self.returns)

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
        except ValueError:  # compiled code need not say what it takes
            return []
        return []


def on_demand(
    *,
    returns: Mapping[str, Any],
    inputs: Sequence[FeatureView | Selection] = (),
    context: Mapping[str, Any] | None = None,
) -> Callable[[Function], OnDemand]:
    """Make on-demand features of a function of ``(features, context)``.

    Args:
        returns: The features it gives, with types, as in ``{"ratio": float}``; a vector of n
            floats is ``Annotated[list[float], Field(min_length=n, max_length=n)]``.
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


def _declared(types: Mapping[str, Any]) -> dict[str, Declared]:
    found = {name: Declared.of(annotation) for name, annotation in types.items()}
    return {name: declared for name, declared in found.items() if declared is not None}


def _type_problems(role: str, types: Mapping[str, Any]) -> list[str]:
    known = ", ".join(str(kind.value) for kind in _KINDS.values())
    return [
        f"{role} {name!r}: {_written(annotation)} must be one of {known}, or a vector: {CURE}, "
        f"n at most {LARGEST_VECTOR}"
        for name, annotation in types.items()
        if Declared.of(annotation) is None
    ]


def _written(annotation: object) -> str:
    return annotation.__name__ if type(annotation) is type else str(annotation)
