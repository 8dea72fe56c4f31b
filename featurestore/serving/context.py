"""The context of a request: what only the caller knows, checked and put into arrays."""

from collections.abc import Mapping, Sequence
from typing import TypeAlias

import numpy as np

from featurestore.aggregation.windows import Value
from featurestore.definitions.contract import Kind
from featurestore.definitions.defaults import raw_default, vector_default
from featurestore.definitions.on_demand import NOW, Declared
from featurestore.errors import BadContext, has, hint
from featurestore.serving.arrays import Array, array_of
from featurestore.serving.key_values import canonical

Given: TypeAlias = Mapping[str, object] | Sequence[Mapping[str, object]] | None
Context: TypeAlias = dict[str, Array]

_EXACT = 2**53  # floats hold every whole number up to here


def context_of(
    given: Given,
    needed: Mapping[str, Declared],
    known: Mapping[str, Declared],
    count: int,
    now_us: int,
) -> Context:
    """Return the context as on-demand functions see it.

    Args:
        given: One for all entities, or one for each.
        needed: What must be in it.
        known: What may be in it.
        count: How many entities there are.
        now_us: The moment of the request.

    Raises:
        BadContext: A value is missing, unknown or of the wrong type, or there are too few or many.
    """
    contexts = [given or {}] if given is None or isinstance(given, Mapping) else given
    shared = contexts is not given
    if not shared and len(contexts) != count:
        what = "must be one object for all entities, or one for each"
        raise BadContext(None, f"{what} of the {count}, got {len(contexts)}")
    rows = [
        _row(None if shared else index, context, needed, known)
        for index, context in enumerate(contexts)
    ]
    rows = rows * count if shared else rows
    arrays = {
        name: array_of([row[place] for row in rows], declared.kind, declared.size)
        for place, (name, declared) in enumerate(needed.items())
    }
    return arrays | {NOW: array_of([now_us] * count, Kind.DATETIME)}


def _row(
    index: int | None,
    context: Mapping[str, object],
    needed: Mapping[str, Declared],
    known: Mapping[str, Declared],
) -> list[Value]:
    for name in context:
        if name not in known:
            raise BadContext(index, f"there is no {name!r} {has([*known])}{hint(name, known)}")
    return [_value(index, context, name, declared) for name, declared in needed.items()]


def _value(
    index: int | None, context: Mapping[str, object], name: str, declared: Declared
) -> Value:
    value = context.get(name)
    if value is None and declared.nullable:
        return None
    if name not in context:
        raise BadContext(index, f"{name!r} ({declared.type_text}) is missing {has([*context])}")
    try:
        return _held(value, declared.kind, declared.size)
    except ValueError as error:
        raise BadContext(index, f"{name!r} {error}") from error


def _held(value: object, kind: Kind, size: int = 0) -> Value:
    """Return a value of a request as vectors hold it.

    >>> _held("1970-01-02", Kind.DATE), _held(1, Kind.FLOAT), _held([1, 2], Kind.VECTOR, 2)
    (1, 1.0, [1.0, 2.0])
    """
    if isinstance(value, np.datetime64) and kind is Kind.DATETIME:
        value = value.astype("datetime64[us]")  # finer ones would become ints
    if isinstance(value, np.generic | np.ndarray):
        value = value.tolist()
    if kind is Kind.VECTOR:
        return [*vector_default(value, size)]
    held = raw_default(canonical(value, kind), kind)
    if kind is Kind.INT and abs(int(held)) > _EXACT:
        msg = f"must be at most 2**53, got {held}; declare identifiers as str"
        raise ValueError(msg)
    return held
