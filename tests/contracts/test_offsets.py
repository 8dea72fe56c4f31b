"""Offsets of more than 64 bits behave like an array of Python ints."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from featurestore.contracts.offsets import WideOffsets, as_array, up_to

LARGEST = 2**128 - 1

rising = st.lists(st.integers(0, LARGEST) | st.integers(0, 50), max_size=20, unique=True).map(
    sorted
)


def wide(offsets: list[int]) -> WideOffsets:
    high = [offset >> 64 for offset in offsets]
    low = [offset & (2**64 - 1) for offset in offsets]
    return WideOffsets(np.array(high, np.uint64), np.array(low, np.uint64))


@given(rising, st.data())
def test_elements_slices_and_choices_are_those_of_a_list(offsets: list[int], data) -> None:
    columns = wide(offsets)
    assert len(columns) == len(offsets)
    assert columns.tolist() == list(columns) == offsets
    assert [columns[place] for place in range(len(offsets))] == offsets
    mask = np.array(
        data.draw(st.lists(st.booleans(), min_size=len(offsets), max_size=len(offsets)))
    )
    chosen = [offset for offset, keep in zip(offsets, mask, strict=True) if keep]
    assert columns[mask.astype(bool)].tolist() == chosen
    assert columns[np.flatnonzero(mask)].tolist() == chosen
    assert columns[1:].tolist() == offsets[1:]


@given(rising, st.integers(-1, LARGEST) | st.integers(-1, 50))
def test_so_many_are_up_to_a_limit(offsets: list[int], limit: int) -> None:
    expected = sum(offset <= limit for offset in offsets)
    assert up_to(wide(offsets), limit) == expected
    assert up_to(as_array(offsets), limit) == expected
