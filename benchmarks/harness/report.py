"""The report: one table on the terminal, in Markdown and in JSON, and the plots."""

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console
from rich.table import Table

from benchmarks.harness.claim import Row, cpu_note, noise_note
from benchmarks.harness.headlines import README, show_in
from benchmarks.harness.machine import described
from benchmarks.harness.plots import draw

RESULTS = Path(__file__).parents[1] / "results"
_HEADS = ("claim", "ours", "beside it", "ratio", "target", "notes")


def figure(value: float, unit: str) -> str:
    """Write a figure with its unit.

    >>> figure(1234567.8, "events/s"), figure(0.1234, "ms")
    ('1,234,568 events/s', '0.123 ms')
    """
    number = f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"
    return f"{number} {unit}"


def cells(row: Row) -> tuple[str, ...]:
    """Return a row of the table as text."""
    theirs = row.their_value
    beside = f"{figure(theirs, row.unit)}: {row.beside}" if theirs is not None else ""
    ratio = (
        "" if row.ratio is None else f"{row.ratio:,.2f}" if row.ratio < 10 else f"{row.ratio:,.0f}"
    )
    of, _, per = row.unit.partition("/")
    per = of.rstrip("s") if per == "s" else per or "event"
    notes = [_also(row), cpu_note(row.ours, per), noise_note(row.ours), row.note]
    return (
        row.what,
        figure(row.value, row.unit),
        beside,
        ratio,
        row.target,
        "; ".join(filter(None, notes)),
    )


def show(rows: Sequence[Row]) -> None:
    """Print the table."""
    table = Table(*_HEADS, show_lines=True)
    for row in rows:
        table.add_row(*cells(row))
    Console(width=180).print(table)


def write(rows: Sequence[Row], folder: Path = RESULTS) -> None:
    """Write the table and the plots; claims that were not measured now keep what they had.

    README shows some of the results that stand in the repository.
    """
    folder.mkdir(parents=True, exist_ok=True)
    kept = folder / "figures.json"
    before = json.loads(kept.read_text())["rows"] if kept.exists() else []
    now = {row.claim for row in rows}
    machine = described() | {"measured": datetime.now(UTC).isoformat(timespec="minutes")}
    new = [row.as_json() | {"cells": cells(row), "machine": machine} for row in rows]
    everything = [row for row in before if row["claim"] not in now] + new
    kept.write_text(json.dumps({"rows": everything}, indent=1, ensure_ascii=False) + "\n")
    (folder / "table.md").write_text(_markdown(everything))
    draw(everything, folder)
    if folder == RESULTS:
        show_in(README, everything)


def _also(row: Row) -> str:
    names = row.ours[0].also
    medians = {n: sorted(s.also[n] for s in row.ours)[len(row.ours) // 2] for n in names}
    short = medians.get("run s", 2) < 2 * medians.get("start-up s", 0)
    figures = [f"{name} {value:.3g}" for name, value in medians.items()]
    return ", ".join(["mostly start-up, take more events"] * short + figures)


def _markdown(rows: Sequence[dict[str, object]]) -> str:
    lines = [f"| {' | '.join(_HEADS)} |", f"|{'---|' * len(_HEADS)}"]
    machines: list[str] = []
    for row in rows:
        cells_of, machine = row["cells"], row["machine"]
        assert isinstance(cells_of, Sequence)
        assert isinstance(machine, dict)
        lines.append(f"| {' | '.join(str(cell).replace('|', '/') for cell in cells_of)} |")
        machines.append(f"{row['claim']}: " + ", ".join(f"{k} {v}" for k, v in machine.items()))
    return "\n".join([*lines, "", *dict.fromkeys(f"- {machine}" for machine in machines)]) + "\n"
