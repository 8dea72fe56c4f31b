"""Plots of the results."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

Rows = Sequence[dict[str, Any]]


def draw(rows: Rows, folder: Path) -> None:
    """Draw how costs grow, a plot per claim, and all ratios to peers."""
    import matplotlib as mpl  # noqa: PLC0415 - half a second, only where something is drawn

    mpl.use("Agg")
    for claim in dict.fromkeys(row["claim"] for row in rows if row["series"]):
        _growth([row for row in rows if row["claim"] == claim], folder / f"{claim}.svg")
    _ratios([row for row in rows if row["ratio"] and not row["series"]], folder / "ratios.svg")


def _growth(rows: Rows, path: Path) -> None:
    from matplotlib import pyplot as plt  # noqa: PLC0415

    rows = [row for row in rows if row["series"]]
    figure, every = plt.subplots(1, len(rows), figsize=(4.2 * len(rows), 3.4), squeeze=False)
    for axes, row in zip(every[0], rows, strict=True):
        for name, points in row["series"].items():
            axes.plot(*zip(*points, strict=True), marker="o", label=name)
        axes.set(xlabel=row["axis"], ylabel=row["unit"], xscale="log", ylim=(0, None))
        axes.legend(frameon=False, fontsize="small")
        axes.spines[["top", "right"]].set_visible(False)
    _save(figure, path)


def _ratios(rows: Rows, path: Path) -> None:
    from matplotlib import pyplot as plt  # noqa: PLC0415

    if not rows:
        return
    figure, axes = plt.subplots(figsize=(9, 0.32 * len(rows) + 1))
    names = [f"{row['what']} vs {row['beside']}" for row in rows]
    bars = axes.barh(names, [row["ratio"] for row in rows], color="#3b6ea5")
    axes.bar_label(bars, [f"{row['ratio']:.3g}x" for row in rows], padding=3, fontsize="small")
    axes.set(xscale="log", xlabel="ours / theirs, medians of the same run")
    axes.axvline(1, color="black", linewidth=0.8)
    axes.invert_yaxis()
    axes.tick_params(axis="y", labelsize="small")
    axes.spines[["top", "right"]].set_visible(False)
    _save(figure, path)


def _save(figure: Any, path: Path) -> None:
    from matplotlib import pyplot as plt  # noqa: PLC0415

    figure.tight_layout()
    figure.savefig(path, metadata={"Date": None})
    plt.close(figure)
