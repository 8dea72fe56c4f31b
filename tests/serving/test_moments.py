"""Moments as pandas and numpy have them, and that which is none of them: NaT."""

from datetime import datetime
from typing import Any

import numpy as np
import pandas as pd
import pytest

from featurestore import FeatureService, on_demand
from featurestore.errors import BadContext
from featurestore.testing import Store


def store() -> Store:
    made = on_demand(context={"at": datetime | None}, returns={"x": datetime})
    return Store(FeatureService("s", features=[made(lambda _, c: {"x": c["at"]})]))


@pytest.mark.parametrize(
    "at", [pd.Timestamp("1970-01-02"), np.datetime64("1970-01-02", "ns"), np.datetime64(1, "D")]
)
def test_a_context_takes_them(at: Any) -> None:
    assert store().get("s", context={"at": at}) == {"x": "1970-01-02T00:00:00Z"}


def test_no_time_is_no_moment() -> None:
    with pytest.raises(BadContext, match="'at' must be datetime, got NaTType NaT"):
        store().get("s", context={"at": pd.NaT})
    with pytest.raises(TypeError, match=r"a moment is a datetime, .* not NaT"):
        store().get("s", as_of=pd.NaT)
