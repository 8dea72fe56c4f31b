"""One claim alone: what ``python -m benchmarks.<claim>`` runs."""

import sys


def alone(claim: str) -> None:
    """Measure one claim, with the options of ``python -m benchmarks``."""
    from benchmarks.__main__ import main  # noqa: PLC0415 - it knows the claims, they know it not

    main([claim, *sys.argv[1:]])
