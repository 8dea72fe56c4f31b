"""Definitions of any shape as a file, since the commands want one."""

from pathlib import Path

STANDARD = str(Path(__file__).parents[1] / "definitions.py")


def shaped(folder: Path, **axes: int) -> str:
    """Write definitions of a shape, as `benchmarks.definitions.shape` takes it; return the path."""
    name = "_".join(["shape", *(f"{axis}{size}" for axis, size in axes.items())])
    arguments = ", ".join(f"{axis}={size}" for axis, size in axes.items())
    path = folder / f"{name}.py"
    path.write_text(
        f"from benchmarks.definitions import shape\n\ndefinitions = shape({arguments})\n"
    )
    return str(path)
