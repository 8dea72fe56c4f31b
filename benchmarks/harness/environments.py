"""Environments of peers: each in a virtual environment of its own, made on first use."""

import subprocess
import sys
from pathlib import Path

_FOLDER = Path(__file__).parents[1] / ".peers"


def python_of(name: str, *packages: str) -> str:
    """Return the interpreter of a peer's environment; installs it if it is not there."""
    folder = _FOLDER / name
    done, python = folder / ".installed", str(folder / "bin" / "python")
    wanted = "\n".join(packages)
    if not done.exists() or done.read_text() != wanted:
        sys.stderr.write(f"installing {', '.join(packages)} into {folder}\n")
        subprocess.run([_base(), "-m", "venv", str(folder)], check=True)
        subprocess.run([python, "-m", "pip", "install", "--quiet", *packages], check=True)
        done.write_text(wanted)
    return python


def _base() -> str:
    """Return an interpreter that has pip, which the project's environment need not have."""
    return str(Path(sys.base_prefix) / "bin" / f"python3.{sys.version_info.minor}")
