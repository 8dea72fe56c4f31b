"""The same windows in Pathway: ``pathway_windows.py FOLDER HOST PORT KIND``.

What it computes: every window of every user, each written once when all events are read (static
mode, the fastest: no window is written twice). ``tumbling`` is a `groupby` of user and number of
the window, ``sliding`` is `windowby`, as its documentation shows.
"""

import os
import sys
from typing import Any

import pathway as pw
import redis
from rows_of_windows import WINDOWS, Window, write


class Payment(pw.Schema):  # type: ignore[misc] # it has no types
    """An event; its time as a number, so that none is spent on text."""

    user_id: str
    amount: float
    at_us: int


class Writer(pw.io.python.ConnectorObserver):  # type: ignore[misc] # it has no types
    """Writes the rows of one window when a batch is done."""

    def __init__(self, client: "redis.Redis", window: str) -> None:
        self._client, self._window = client, window
        self._rows: list[Any] = []

    def on_change(self, key: Any, row: dict[str, Any], time: int, is_addition: bool) -> None:  # noqa: ARG002, FBT001 - their signature
        """Keep a row."""
        if is_addition:
            names = ("user", "end_us", "count", "total", "squares", "smallest", "largest")
            self._rows.append(tuple(row[name] for name in names))

    def on_time_end(self, time: int) -> None:  # noqa: ARG002 - their signature
        """Write what was kept."""
        rows: list[Window] = self._rows
        write(self._client, self._window, rows)
        self._rows = []


def states() -> dict[str, Any]:
    """Return what is reduced."""
    amount = pw.this.amount
    return {
        "count": pw.reducers.count(),
        "total": pw.reducers.sum(amount),
        "squares": pw.reducers.sum(amount * amount),
        "smallest": pw.reducers.min(amount),
        "largest": pw.reducers.max(amount),
    }


def tumbling(events: pw.Table, length_us: int) -> pw.Table:
    """Group by user and window."""
    numbered = events.with_columns(end_us=(pw.this.at_us // length_us + 1) * length_us)
    grouped = numbered.groupby(pw.this.user_id, pw.this.end_us)
    return grouped.reduce(user=pw.this.user_id, end_us=pw.this.end_us, **states())


def sliding(events: pw.Table, length_us: int, every_us: int) -> pw.Table:
    """Let windows slide."""
    window = pw.temporal.sliding(hop=every_us, duration=length_us, origin=0)
    windowed = pw.temporal.windowby(events, events.at_us, window=window, instance=events.user_id)
    return windowed.reduce(user=pw.this._pw_instance, end_us=pw.this._pw_window_end, **states())  # noqa: SLF001 - their names


def main(folder: str, host: str, port: str, kind: str) -> None:
    """Run it."""
    os.environ["PATHWAY_THREADS"] = str(os.cpu_count())  # else it runs on one core
    events = pw.io.jsonlines.read(folder, schema=Payment, mode="static")
    client = redis.Redis(host, int(port))
    for name, (length, every) in WINDOWS.items():
        length_us, every_us = length * 1_000_000, every * 1_000_000
        table = (
            tumbling(events, length_us)
            if kind == "tumbling"
            else sliding(events, length_us, every_us)
        )
        pw.io.python.write(table, Writer(client, name))
    pw.run(monitoring_level=pw.MonitoringLevel.NONE)


if __name__ == "__main__":
    main(*sys.argv[1:])
