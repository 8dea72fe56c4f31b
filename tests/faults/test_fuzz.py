"""Any bytes from outside are answered, never an unhandled exception; `make faults` looks longer."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.faults.fuzz_targets import TARGETS


@pytest.mark.parametrize("target", TARGETS)
@settings(max_examples=100, deadline=None)
@given(data=st.data())
def test_any_bytes_are_answered(target: str, data: st.DataObject) -> None:
    run, seed = TARGETS[target]
    piece = st.integers(0, len(seed))
    cut, back = data.draw(piece), data.draw(piece)
    run(seed[:cut] + data.draw(st.binary(max_size=20)) + seed[back:])
