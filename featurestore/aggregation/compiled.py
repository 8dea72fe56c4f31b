"""What is compiled (`_cutting.c`), where there was a C compiler when the package was installed."""

from importlib import import_module
from sys import byteorder
from typing import Any

CUTTING: Any = None  # None: everything is done in Python, with the same bits

if byteorder == "little":
    try:
        CUTTING = import_module("featurestore.aggregation._cutting")
    except ImportError:
        CUTTING = None
