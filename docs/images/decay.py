"""Draw decay.svg: a value read again and again after its last event, by the library itself.

``python docs/images/decay.py`` writes the picture; a test compares it with what would be drawn now.
"""

from datetime import datetime
from itertools import accumulate
from pathlib import Path

import pyarrow as pa
from pydantic import BaseModel

from featurestore import Entity, FeatureView, Stream, count
from featurestore.aggregation.compaction import compact
from featurestore.aggregation.layout import Layout
from featurestore.aggregation.partial import partial
from featurestore.aggregation.windows import read
from featurestore.instants import MINUTE, SECOND, parse_instant

PICTURE = Path(__file__).with_name("decay.svg")

EXACT, BUSY = "#1a7f37", "#cf222e"
GAPS = (1, 2, 1, 4, 1, 1, 7, 2, 1, 3)  # seconds from one payment to the next, over and over
BUSY_SPELL, CALM = 60, 3  # payments in a spell; how much longer gaps are in every other spell
EVENTS = 400
LAST_US = parse_instant("2025-11-28T12:00:00Z")
WIDTH, HEIGHT, LEFT, TOP, BOTTOM = 780, 300, 46, 40, 250


class Payment(BaseModel):
    """An event of the picture."""

    user_id: str
    paid_at: datetime


def layout(record_budget: int) -> Layout:
    """Return the layout of a view that counts payments over ten minutes."""
    stream = Stream("payments", contract=Payment, event_time="paid_at")
    view = FeatureView(
        "user_payments",
        stream=stream,
        entity=Entity("user", keys=["user_id"]),
        windows=["10m"],
        features={"payments": count()},
        record_budget=record_budget,
    )
    return Layout.of(view)


def events() -> pa.RecordBatch:
    """Return the payments of one user, the last one at `LAST_US`."""
    slower = [CALM if k // BUSY_SPELL % 2 else 1 for k in range(EVENTS - 1)]
    gaps = [GAPS[k % len(GAPS)] * slower[k] * SECOND for k in range(EVENTS - 1)]
    ages = list(accumulate(gaps, initial=0))[::-1]
    times = pa.array([LAST_US - age for age in ages], pa.timestamp("us", tz="UTC"))
    users = pa.array(["u1"] * EVENTS)
    return pa.record_batch({"user_id": users, "paid_at": times})


def curve(record_budget: int) -> list[int]:
    """Return the count read at each second after the last payment."""
    of = layout(record_budget)
    (frame,) = partial(of, events()).frames.to_pylist()
    row = compact(of, [frame])
    moments = range(LAST_US, LAST_US + 11 * MINUTE, SECOND)
    return [int(read(of, row, now).columns[0][0] or 0) for now in moments]


def panel(left: int, right: int, seconds: range, curves: dict[str, list[int]], step: int) -> str:
    """Draw curves over some seconds, with axes."""
    values = [curve[s] for curve in curves.values() for s in seconds]
    low, high = min(values), max(values)

    def x(second: float) -> float:
        return left + (right - left) * (second - seconds[0]) / (seconds[-1] - seconds[0])

    def y(value: float) -> float:
        return BOTTOM - (BOTTOM - TOP) * (value - low) / (high - low)

    lines = [f'<path d="M{left} {TOP}V{BOTTOM}H{right}" stroke="#8b949e" fill="none"/>']
    lines += [_text(left - 6, y(v) + 4, str(v), "end") for v in (low, high)]
    ticks = [s for s in seconds if s % step == 0]
    lines += [_text(x(s), BOTTOM + 18, f"{s // 60}:{s % 60:02}", "middle") for s in ticks]
    for color, curve in curves.items():
        points = [f"{x(seconds[0]):.1f} {y(curve[seconds[0]]):.1f}"]
        points += [f"H{x(s):.1f}V{y(curve[s]):.1f}" for s in seconds[1:]]
        lines.append(f'<path d="M{"".join(points)}" stroke="{color}" fill="none"/>')
    return "\n".join(lines)


def _text(x: float, y: float, text: str, anchor: str = "start", color: str = "#6e7781") -> str:
    return f'<text x="{x:.0f}" y="{y:.0f}" text-anchor="{anchor}" fill="{color}">{text}</text>'


def picture() -> str:
    """Return the picture."""
    curves = {BUSY: curve(128), EXACT: curve(10_000)}
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}">',
        '<g font-family="sans-serif" font-size="12">',
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="white"/>',
        _text(LEFT, 22, "payments_10m of u1, read at every second after the last payment"),
        panel(LEFT, 400, range(660), curves, 120),
        _text(470, 22, "looked at closely:"),
        _text(570, 22, "every event kept: exact", color=EXACT),
        _text(570, 36, "busy row in tiles: one hop (10 s) off at most", color=BUSY),
        panel(470, WIDTH - 16, range(180, 241), curves, 10),
        _text(LEFT, HEIGHT - 12, "minutes since the last payment"),
        "</g></svg>",
    ]
    return "\n".join(parts) + "\n"


if __name__ == "__main__":
    PICTURE.write_text(picture())
