"""What a flow frees, it takes again without asking the system for new pages."""

import platform
import subprocess
import sys

import pytest

_FAULTS = """
import resource, sys
import numpy as np
from flows.memory import keep_freed

if sys.argv[1] == "kept":
    keep_freed()
def faults():
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt
def block():
    return [np.ones(1_000_000) for _ in range(5)]
for _ in range(3):
    block()
before = faults()
for _ in range(10):
    block()
print(faults() - before)
"""


def faults(how: str) -> int:
    command = [sys.executable, "-c", _FAULTS, how]
    return int(subprocess.run(command, capture_output=True, text=True, check=True).stdout)


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only this C library is told")
def test_arrays_are_made_in_the_memory_of_those_that_are_gone() -> None:
    assert faults("kept") < 100
    assert faults("given back") > 10 * 1000
