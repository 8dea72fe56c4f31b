"""``python -m featurestore``: the same as the command."""

import sys
from pathlib import Path

from featurestore.cli import main


def _leave_the_working_directory() -> None:
    """Look for modules where the command does: a folder ``api`` here is not ours.

    Definitions find what lies beside them all the same. Where this library itself lies here, in a
    checkout, its other modules do.
    """
    if sys.path[0] == str(Path.cwd()) and Path.cwd() != Path(__file__).parents[1]:
        del sys.path[0]


if __name__ == "__main__":
    _leave_the_working_directory()
    main()
