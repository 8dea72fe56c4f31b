"""Fuzzes what reads bytes from outside, guided by coverage; needs atheris (PyPI).

`python -m tests.faults.fuzz TARGET SECONDS`: ends with 0 when nothing was found.
"""

import sys
import tempfile
from pathlib import Path

import atheris  # type: ignore[import-not-found,unused-ignore] # installed by `make faults` only

with atheris.instrument_imports(include=["featurestore", "flows", "api", "tests"]):
    from tests.faults.fuzz_targets import TARGETS


def main(target: str, seconds: int) -> None:
    run, seed = TARGETS[target]
    corpus = Path(tempfile.mkdtemp())
    (corpus / "seed").write_bytes(seed)
    options = [f"-max_total_time={seconds}", "-max_len=2000", "-verbosity=0"]
    options += ["-print_final_stats=1", f"-artifact_prefix={corpus}/"]
    atheris.Setup([sys.argv[0], *options, str(corpus)], run)
    atheris.Fuzz()


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
