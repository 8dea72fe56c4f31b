"""Results: from merged states to the values that are answered."""

from collections.abc import Callable, Sequence

import numpy as np

from featurestore.aggregation.arrays import Ints, Ragged, Values, empty_like, missing
from featurestore.aggregation.computed import Cells, Computed, Map, Result
from featurestore.aggregation.kernels import KERNELS
from featurestore.aggregation.series import Item, Series, Value
from featurestore.definitions.contract import Kind
from featurestore.instants import day_text, instant_text

Shape = tuple[int, int]  # windows, rows


def result_of(of: Computed, cells: Cells) -> Result:
    """Return the value of a measure for each cell, missing where it has none.

    A float that is not finite, such as a total beyond the range of floats, is missing.
    """
    parts = [result_of(part, cells) for part in of.parts]
    return KERNELS[of.measure.aggregation].result(of, cells, parts)


def series_of(
    result: Result, of: Computed, places: Ints, shape: Shape, words: Sequence[bytes]
) -> list[Series]:
    """Return a measure's values, window by window.

    Args:
        result: The values of some cells.
        of: The measure.
        places: Which cells these are, counted window by window; the others have no events.
        shape: How many windows and rows there are.
        words: What the codes of texts stand for.
    """
    if isinstance(result, np.ndarray):
        whole = spread(result, places, shape, of.zero)
        return [Series(values, of.kind, words) for values in whole]
    assert of.items is not None
    if isinstance(result, Map):
        values = _maps(result, of.items, words)
    else:
        values = _lists(result, of.items, words)
    return [Series(of_window, of.kind) for of_window in _placed(values, places, shape)]


def spread(values: Values, places: Ints, shape: Shape, zero: float | None = None) -> Values:
    """Return the values of some cells, window by window, and `zero` where there is none."""
    whole = empty_like(values, shape[0] * shape[1])
    whole[places] = values
    if zero is not None:
        whole = np.where(missing(whole), zero, whole)
    return whole.reshape(shape)


def _placed(values: Sequence[Value], places: Ints, shape: Shape) -> list[list[Value]]:
    windows: list[list[Value]] = [[None] * shape[1] for _ in range(shape[0])]
    for place, value in zip(places.tolist(), values, strict=True):
        windows[place // shape[1]][place % shape[1]] = value
    return windows


def _lists(lists: Ragged, items: Kind, words: Sequence[bytes]) -> list[Value]:
    """Return each list, None for one that is empty."""
    values = _items(lists, items, words)
    ends = np.cumsum(lists.lengths).tolist()
    return [
        values[end - size : end] or None
        for end, size in zip(ends, lists.lengths.tolist(), strict=True)
    ]


def _maps(of: Map, keys: Kind, words: Sequence[bytes]) -> list[Value]:
    """Return each map from text to count, None for one that is empty."""
    names = [_KEYS.get(keys, str)(key) for key in _items(of.keys, keys, words)]
    pairs = list(zip(names, of.counts.numbers.tolist(), strict=True))
    ends = np.cumsum(of.keys.lengths).tolist()
    return [
        dict(pairs[end - size : end]) or None
        for end, size in zip(ends, of.keys.lengths.tolist(), strict=True)
    ]


_KEYS: dict[Kind, Callable[[Item], str]] = {Kind.BOOL: lambda value: "true" if value else "false"}
_TEXTS: dict[Kind, Callable[[int], str]] = {Kind.DATETIME: instant_text, Kind.DATE: day_text}


def _items(lists: Ragged, kind: Kind, words: Sequence[bytes]) -> list[Item]:
    numbers = lists.numbers.tolist()
    if kind is Kind.TEXT:
        return [words[code].decode() for code in numbers]
    if kind is Kind.BOOL:
        return [number != 0 for number in numbers]
    text = _TEXTS.get(kind)
    try:
        return numbers if text is None else [text(number) for number in numbers]
    except OverflowError as error:
        msg = f"a row holds a {kind.value} beyond the calendar: it is damaged"
        raise ValueError(msg) from error
