"""What is compiled (`_cutting.c`), where there was a C compiler when the package was installed."""

from contextlib import suppress
from importlib import import_module
from sys import byteorder
from typing import Any

CUTTING: Any = None  # then everything is done in Python, with the same bits

if byteorder == "little":
    with suppress(ImportError):
        CUTTING = import_module("featurestore.aggregation._cutting")
