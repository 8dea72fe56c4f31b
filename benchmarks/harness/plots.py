"""Plots of the results."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

Rows = Sequence[dict[str, Any]]

_RATIO = re.compile("[≥≤] ([0-9.]+)(,.*)?")  # a target that is a ratio to what stands beside
_HELD, _MISSED = "#3b6ea5", "#c0703a"
_TALL = 20  # so many times the least: a scale from zero would show only the greatest


def draw(rows: Rows, folder: Path) -> None:
    """Draw how costs grow, a plot per claim, and how far ahead of its peers each claim is."""
    import matplotlib as mpl  # noqa: PLC0415 - half a second, only where something is drawn

    mpl.use("Agg")
    for claim in dict.fromkeys(row["claim"] for row in rows if row["series"]):
        _growth([row for row in rows if row["claim"] == claim], folder / f"{claim}.svg")
    _ratios([row for row in rows if row["ratio"] and _goal(row) is not None], folder)


def _growth(rows: Rows, path: Path) -> None:
    from matplotlib import pyplot as plt  # noqa: PLC0415

    rows = [row for row in rows if row["series"]]
    figure, every = plt.subplots(1, len(rows), figsize=(4.2 * len(rows), 4), squeeze=False)
    for axes, row in zip(every[0], rows, strict=True):
        _panel(axes, row)
    _save(figure, path)


def _panel(axes: Any, row: dict[str, Any]) -> None:
    """Draw one axis: its lines, and what the first of them would be if it grew linearly."""
    for name, points in row["series"].items():
        axes.plot(*zip(*points, strict=True), marker="o", label=name)
    axes.set(xlabel=row["axis"], ylabel=row["unit"], xscale="log")
    first = next(iter(row["series"].values()))
    (x, y), (last, _) = first[0], first[-1]
    heights = [at for _, at in first]
    if max(heights) > _TALL * min(heights) > 0:
        axes.set(yscale="log")
    else:
        axes.set(ylim=(0, 1.15 * max(heights)))
    steps = [x * (last / x) ** (step / 50) for step in range(51)]  # a curve, where only x is log
    limits = axes.get_ylim()
    axes.plot(steps, [y * at / x for at in steps], ":", color="grey", label="linear", zorder=0)
    axes.set(ylim=limits)
    axes.set_xticks([at for at, _ in first], [f"{at:,.0f}" for at, _ in first], fontsize="small")
    axes.minorticks_off()
    axes.legend(
        frameon=False, fontsize="small", loc="upper center", bbox_to_anchor=(0.5, -0.18), ncols=2
    )
    axes.spines[["top", "right"]].set_visible(False)


def _ratios(rows: Rows, folder: Path) -> None:
    """Draw how many times better each claim is than what stands beside it, and should be."""
    from matplotlib import pyplot as plt  # noqa: PLC0415

    if not rows:
        return
    figure, axes = plt.subplots(figsize=(11, 0.32 * len(rows) + 1))
    names = [f"{row['what']} vs {row['beside']}" for row in rows]
    times = [_times_better(row, row["ratio"]) for row in rows]
    goals = [_times_better(row, _goal(row)) for row in rows]
    held = [ahead >= goal for ahead, goal in zip(times, goals, strict=True)]
    colours = [_HELD if is_held else _MISSED for is_held in held]
    # Bars start at 1, to the right where ours is ahead; places, since two names may be the same.
    axes.barh(range(len(rows)), [ahead - 1 for ahead in times], left=1, color=colours)
    axes.plot(goals, range(len(rows)), "|", color="black", markersize=11, label="target")
    axes.set_yticks(range(len(rows)), names)
    beside = axes.get_yaxis_transform()  # a column right of the axes
    for place, ahead in enumerate(times):
        axes.text(1.01, place, f"{ahead:.3g}x", transform=beside, va="center", fontsize="small")
    axes.set(xscale="log", xlabel="times better than what stands beside it, in the same run")
    axes.axvline(1, color="black", linewidth=0.8)
    axes.margins(x=0.05, y=0.01)
    axes.invert_yaxis()
    axes.tick_params(axis="y", labelsize="small")
    axes.legend(frameon=False, loc="lower right", bbox_to_anchor=(1, 1))
    axes.spines[["top", "right"]].set_visible(False)
    _save(figure, folder / "ratios.svg")


def _goal(row: dict[str, Any]) -> float | None:
    """Return the ratio that a row should have; None where its target is no ratio.

    >>> _goal({"target": "≥ 40, p99 ≤ 1/10"}), _goal({"target": "p50 < 5 ms"})
    (40.0, None)
    """
    found = _RATIO.fullmatch(row["target"])
    return float(found[1]) if found else None


def _times_better(row: dict[str, Any], ratio: Any) -> float:
    """Return a ratio, turned over where less is better."""
    return float(ratio) if row["unit"].endswith("/s") else 1 / float(ratio)


def _save(figure: Any, path: Path) -> None:
    from matplotlib import pyplot as plt  # noqa: PLC0415

    figure.tight_layout()
    figure.savefig(path, metadata={"Date": None})
    plt.close(figure)
