"""A window: which stretch of event time a feature looks back on.

::

        (now - offset - width                     now - offset]      now
    ────────────┬──────────────────────────────────────────┬──────────┬────► event time
       not in   │  in the window                           │  not yet │
                └ open: an event exactly here is out       └ closed: an event exactly here is in

`now` is when the value is read, not when the last event came. Linked from everywhere else: this
is the one place that says which end is open.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from featurestore.instants import DAY, HOUR, MILLISECOND, MINUTE, SECOND, duration_text, duration_us

# Each divides the next, so that a tile of one hop lies within one of every longer hop.
_NATURAL_HOPS = (
    *(n * MILLISECOND for n in (1, 5, 10, 50, 100, 500)),
    *(n * SECOND for n in (1, 5, 10, 30)),
    *(n * MINUTE for n in (1, 5, 10, 20)),
    *(n * HOUR for n in (1, 2, 4, 12)),
    *(n * DAY for n in (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048, 4096, 8192)),
)
TILES_PER_WINDOW = 60


@dataclass(frozen=True, slots=True)
class Window:
    """A sliding window.

    Attributes:
        name: How the user wrote it; the ending of feature names.
        width_us: Its length in microseconds.
        offset_us: How long before now it ends.
    """

    name: str
    width_us: int
    offset_us: int = 0

    @property
    def reach_us(self) -> int:
        """How far back its oldest event lies."""
        return self.offset_us + self.width_us

    @property
    def hop_us(self) -> int:
        """By how much its ends may be off once a row is tiled: a sixtieth, rounded down.

        >>> [duration_text(parse_window(w).hop_us) for w in ("1m", "1h", "24h", "7d", "365d")]
        ['1s', '1m', '20m', '2h', '4d']
        """
        finest = self.width_us // TILES_PER_WINDOW
        return max((hop for hop in _NATURAL_HOPS if hop <= finest), default=1)


def parse_window(window: str | timedelta, offset_us: int = 0) -> Window:
    """Return the window that a user wrote.

    Raises:
        ValueError: It is no duration.

    >>> parse_window("10m")
    Window(name='10m', width_us=600000000, offset_us=0)
    """
    width_us = duration_us(window)
    name = duration_text(width_us) if isinstance(window, timedelta) else window.strip()
    return Window(name, width_us, offset_us)


def parse_windows(
    windows: Sequence[str | timedelta], offset: str | timedelta | None
) -> tuple[list[Window], list[str]]:
    """Return the windows that can be read and what is wrong with the others.

    >>> parse_windows(["1h", "soon"], None)[1]
    ["window 'soon' is no duration: write a number and a unit, as in 500ms 30s 10m 1h 24h 7d"]
    """
    parsed, problems, offset_us = [], [], 0
    try:
        offset_us = duration_us(offset) if offset is not None else 0
    except ValueError as error:
        problems.append(f"offset {error}")
    for window in windows:
        try:
            parsed.append(parse_window(window, offset_us))
        except ValueError as error:
            problems.append(f"window {error}")
    return parsed, problems
