"""Headlines: the few rows of the results that README shows, written there from the figures."""

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

README = Path(__file__).parents[2] / "README.md"
_BLOCK = re.compile(r"(<!-- figures[^>]* -->\n).*?(<!-- end of figures -->)", re.DOTALL)
_HEADS = ("", "here", "beside it, in the same run")

# What README calls a row, and the row: its claim and what was measured.
HEADLINES = {
    "events from Parquet, zipf users": ("parquet", "events from Parquet, zipf, 2 processes"),
    "… uniform users": ("parquet", "events from Parquet, uniform, 2 processes"),
    "events from JSON lines, zipf users": ("jsonl", "events from JSON lines, zipf, 2 processes"),
    "… the same, sliding windows elsewhere": (
        "windowing",
        "events from JSON lines, zipf, vs sliding windows",
    ),
    "… the same, tumbling windows elsewhere": (
        "windowing",
        "events from JSON lines, zipf, vs tumbling windows",
    ),
    "events from Redis Streams, zipf users": (
        "streams",
        "events from Redis Streams, zipf, 2 processes",
    ),
    "rows appended": ("limit", "rows appended, uniform, 1 process"),
    "an event accepted until it is visible, both over HTTP, p50": (
        "freshness",
        "event accepted over HTTP to visible over HTTP, p50",
    ),
    "look-ups, 1 entity x 10 features, 64 connections": (
        "serving",
        "requests, 1 x 10, 64 connections",
    ),
    "… Feast with the same features": ("feast", "requests, 1 x 10, 64 connections"),
    "… 100 entities x 50 features, 8 connections": (
        "feast",
        "requests, 100 x 50, 8 connections",
    ),
    "a look-up of 50 features, p99 at 70 % of the maximum": (
        "tail",
        "look-ups, 1 x 50, p99 at 70% of the maximum",
    ),
    "1,000 entities x 10 features as Arrow, p50": (
        "arrow",
        "1,000 x 10 as Arrow, p50, 1 connection",
    ),
    "a read in process, p50": ("in_process", "a read in process, 1 x 10, p50"),
}


def headlines(rows: Sequence[dict[str, Any]]) -> str:
    """Return the table of README, in Markdown; what was not measured is left out.

    >>> row = {"claim": "in_process", "what": "a read in process, 1 x 10, p50", "unit": "µs"}
    >>> print(headlines([row | {"ours": 78.31, "theirs": 34.3, "beside": "a bare GET"}]))
    |  | here | beside it, in the same run |
    |---|---|---|
    | a read in process, p50 | 78.3 µs | a bare GET: 34.3 µs |
    """
    lines = [f"| {' | '.join(_HEADS)} |", f"|{'---|' * len(_HEADS)}"]
    for name, place in HEADLINES.items():
        found = [row for row in rows if (row["claim"], row["what"]) == place]
        if found:
            unit = found[0]["unit"]
            here = f"{rounded(found[0]['ours'])} {unit}"
            lines.append(f"| {name} | {here} | {'; '.join(_beside(found))} |")
    return "\n".join(lines)


def show_in(readme: Path, rows: Sequence[dict[str, Any]]) -> None:
    """Write the table between the marks of a README."""
    text = readme.read_text()
    readme.write_text(_BLOCK.sub(lambda marks: f"{marks[1]}{headlines(rows)}\n{marks[2]}", text))


def rounded(value: float) -> str:
    """Write a figure to three digits.

    >>> rounded(1234567.8), rounded(27198), rounded(78.31), rounded(0.1234)
    ('1,230,000', '27,200', '78.3', '0.123')
    """
    short = float(f"{value:.3g}")
    return f"{short:,.0f}" if short >= 100 else f"{short:g}"


def _beside(rows: Sequence[dict[str, Any]]) -> Iterator[str]:
    for row in rows:
        if row["theirs"] is not None:
            yield f"{row['beside']}: {rounded(row['theirs'])} {row['unit']}"
