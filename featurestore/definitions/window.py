"""A window: which stretch of event time a feature looks back on.

::

        (now - offset - width                     now - offset]      now
    ────────────┬──────────────────────────────────────────┬──────────┬────► event time
       not in   │  in the window                           │  not yet │
                └ open: an event exactly here is out       └ closed: an event exactly here is in

`now` is when the value is read, not when the last event came. Linked from everywhere else: this
is the one place that says which end is open.

That is a sliding window, and what a bare duration means. A tumbling one starts at a multiple of its
length since 1970 UTC, so a day starts at midnight; its *start is in* and its end is not, as people
count days: an event at midnight belongs to the day that begins. A lifetime has no start.

Where a session and the last events start, the events decide: `aggregation.membership` says how.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import Any, TypeAlias, cast

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
FOREVER_US = 8000 * 365 * DAY  # more than any calendar has

Instant: TypeAlias = Any  # microseconds, or an array of them


class WindowKind(StrEnum):
    """The kinds of window."""

    SLIDING = "sliding"
    TUMBLING = "tumbling"  # the one that now is in, up to now
    COMPLETE = "complete"  # the last tumbling one that is over
    LIFETIME = "lifetime"
    SESSION = "session"  # the one under way, events that follow each other closely
    LAST = "last"  # the newest events, a number of them


BY_EVENTS = frozenset({WindowKind.SESSION, WindowKind.LAST})  # where they start, events decide


@dataclass(frozen=True, slots=True)
class Window:
    """A window.

    Attributes:
        name: How the user wrote it; the ending of feature names.
        width_us: Its length in microseconds.
        offset_us: How long before now it ends, or what it takes for now.
        kind: What kind of window it is.
        gap_us: How far apart the events of a session may be at most.
        events: How many of the newest events it holds at most, but for those of one instant.
    """

    name: str
    width_us: int
    offset_us: int = 0
    kind: WindowKind = WindowKind.SLIDING
    gap_us: int = 0
    events: int = 0

    @property
    def reach_us(self) -> int:
        """How far back its oldest event can lie."""
        width_us = 2 * self.width_us if self.kind is WindowKind.COMPLETE else self.width_us
        return self.offset_us + width_us

    def span(self, now_us: Instant) -> tuple[Instant, Instant]:
        """Return the stretch it is at some moment, or at each of an array: (open, closed].

        A session and the last events start there at the earliest.

        >>> day = Window("1d", DAY, kind=WindowKind.COMPLETE)
        >>> day.span(3 * DAY + HOUR) == (2 * DAY - 1, 3 * DAY - 1)
        True
        """
        moment = now_us - self.offset_us
        if self.kind is WindowKind.TUMBLING:
            return moment - moment % self.width_us - 1, moment
        if self.kind is WindowKind.COMPLETE:
            end = moment - moment % self.width_us - 1
            return end - self.width_us, end
        return moment - self.width_us, moment

    @property
    def hop_us(self) -> int:
        """By how much its ends may be off once a row is tiled: a sixtieth, rounded down.

        The ends of a tumbling window lie between tiles and are never off, but now may be.

        >>> [duration_text(parse_window(w).hop_us) for w in ("1m", "1h", "24h", "7d", "365d")]
        ['1s', '1m', '20m', '2h', '4d']
        """
        return self.hops[0][1]

    @property
    def hops(self) -> list[tuple[int, int]]:
        """How long a tile of it may be by its age: (up to which age, hop)."""
        if self.width_us == FOREVER_US:
            end = [(self.offset_us, _hop(self.offset_us))] if self.offset_us else []
            return [*end, (self.reach_us, _NATURAL_HOPS[-1])]
        if self.kind is WindowKind.SESSION:  # no tile spans a gap, so none joins two sessions
            return [(self.reach_us, _hop(min(self.width_us, self.gap_us * TILES_PER_WINDOW)))]
        if self.kind in {WindowKind.SLIDING, WindowKind.LAST}:
            return [(self.reach_us, _hop(self.width_us))]
        return [(self.reach_us, _hop(self.width_us, dividing=self.width_us))]


@dataclass(frozen=True, slots=True)
class WindowChoice:
    """A window as the user chose it; `sliding`, `session` and the others here make them."""

    kind: WindowKind
    width: str | timedelta | None = None
    offset: str | timedelta | None = None
    name: str | None = None
    gap: str | timedelta | None = None
    events: int = 0


def sliding(
    width: str | timedelta, *, offset: str | timedelta | None = None, name: str | None = None
) -> WindowChoice:
    """Choose a sliding window with an offset of its own; a bare duration is one without.

    Args:
        width: Its length.
        offset: How long before now it ends; that of the view if None.
        name: The ending of feature names; ``1h_7d_ago`` for one with an offset of its own.
    """
    return WindowChoice(WindowKind.SLIDING, width, offset, name)


def tumbling(
    width: str | timedelta,
    *,
    complete: bool = False,
    offset: str | timedelta | None = None,
    name: str | None = None,
) -> WindowChoice:
    """Choose windows that follow each other: minutes, hours, UTC days.

    Args:
        width: Their length; each starts at a multiple of it since 1970 UTC.
        complete: The last one that is over, not the one that now is in.
        offset: What to take for now is so long ago; that of the view if None.
        name: The ending of feature names; ``1d_tumbling`` or ``1d_complete`` if None.
    """
    kind = WindowKind.COMPLETE if complete else WindowKind.TUMBLING
    return WindowChoice(kind, width, offset, name)


def lifetime(*, offset: str | timedelta | None = None, name: str | None = None) -> WindowChoice:
    """Choose all events there ever were: rows do not expire, and no event of the stream is late.

    Args:
        offset: How long before now it ends; that of the view if None.
        name: The ending of feature names; ``lifetime`` if None.
    """
    return WindowChoice(WindowKind.LIFETIME, None, offset, name)


def session(
    gap: str | timedelta,
    *,
    longest: str | timedelta = "24h",
    offset: str | timedelta | None = None,
    name: str | None = None,
) -> WindowChoice:
    """Choose the session under way: events that each came `gap` after another at the latest.

    It ends with the newest event, and there is none once that is longer than `gap` ago.

    Args:
        gap: How far apart events of one session may be.
        longest: How far back a session counts; of a longer one only so much of its end. Rows
            hold tiles shorter than the gap as far back, so keep it at most some thousand gaps.
        offset: What to take for now is so long ago; that of the view if None.
        name: The ending of feature names; ``session_30m`` if None.
    """
    return WindowChoice(WindowKind.SESSION, longest, offset, name, gap=gap)


def last_n_events(
    n: int,
    *,
    longest: str | timedelta | None = None,
    offset: str | timedelta | None = None,
    name: str | None = None,
) -> WindowChoice:
    """Choose the newest events of an entity, however long ago they were.

    Events of one instant have no order: those that share theirs with the n-th newest are all in.

    Args:
        n: How many; at most half the view's record budget.
        longest: How old they may be; without it rows do not expire.
        offset: How long before now it ends; that of the view if None.
        name: The ending of feature names; ``last_10`` if None.
    """
    return WindowChoice(WindowKind.LAST, longest, offset, name, events=n)


def _hop(width_us: int, *, dividing: int = 0) -> int:
    finest = width_us // TILES_PER_WINDOW
    return max((hop for hop in _NATURAL_HOPS if hop <= finest and dividing % hop == 0), default=1)


def hops_by_age(windows: Sequence[Window]) -> list[tuple[int, int]]:
    """Return how long a tile may be by its age: (up to which age, hop), both rising.

    The finest of all windows that reach as far back.

    >>> [(duration_text(age), duration_text(hop))
    ...  for age, hop in hops_by_age([parse_window("24h"), parse_window("1h")])]
    [('1h', '1m'), ('1d', '20m')]
    """
    hops: list[tuple[int, int]] = []
    finest = None
    for reach_us, hop_us in sorted((pair for w in windows for pair in w.hops), reverse=True):
        finest = hop_us if finest is None else min(finest, hop_us)
        if not hops or finest < hops[-1][1]:
            hops.append((reach_us, finest))
    return hops[::-1]


def most_tiles(windows: Sequence[Window]) -> int:
    """Return how many tiles a row can have at most.

    >>> most_tiles([parse_window("1h")]), most_tiles([parse_window("1h"), parse_window("24h")])
    (62, 133)
    """
    tiles, before = int(any(w.kind is WindowKind.LAST for w in windows)), 0  # where they start
    for age, hop in hops_by_age(windows):
        tiles += (age - before) // hop + 2  # the first and the last may be cut
        before = age
    return tiles


def parse_window(window: str | timedelta | WindowChoice, offset_us: int = 0) -> Window:
    """Return the window that a user wrote.

    Args:
        window: A duration, or a choice of window.
        offset_us: The view's offset, for a window that has none of its own.

    Raises:
        ValueError: It is no duration.

    >>> parse_window("10m").width_us, parse_window(tumbling("1d")).name
    (600000000, '1d_tumbling')
    >>> [parse_window(w).name for w in (sliding("1h", offset="7d"), session("30m"))]
    ['1h_7d_ago', 'session_30m']
    """
    choice = window if isinstance(window, WindowChoice) else sliding(window)
    width_us = duration_us(choice.width) if choice.width is not None else FOREVER_US
    gap_us = duration_us(choice.gap) if choice.gap is not None else 0
    _check(choice, width_us, gap_us)
    name = _name(choice)
    if choice.offset is not None:
        offset_us = duration_us(choice.offset)
        name += f"_{duration_text(offset_us)}_ago"
    name = choice.name or name
    return Window(name, width_us, offset_us, choice.kind, gap_us, choice.events)


def _check(choice: WindowChoice, width_us: int, gap_us: int) -> None:
    """Raise ValueError for what no session and no number of events can be."""
    if width_us < gap_us:
        gap, longest = duration_text(gap_us), duration_text(width_us)
        msg = f"'session_{gap}' is cut at longest={longest}, before its gap; let longest be longer"
        raise ValueError(msg)
    counts = type(choice.events) is int and choice.events >= 1
    if choice.kind is WindowKind.LAST and not counts:
        msg = f"last_n_events({choice.events!r}): n must be a whole number, 1 or more"
        raise ValueError(msg)


def _name(choice: WindowChoice) -> str:
    """Return the ending of feature names, without an offset."""
    match choice.kind:
        case WindowKind.LIFETIME:
            return choice.kind.value
        case WindowKind.LAST:
            return f"{choice.kind}_{choice.events}"
        case WindowKind.SESSION:
            return f"{choice.kind}_{_text(choice.gap)}"
        case WindowKind.SLIDING:
            return _text(choice.width)
    return f"{_text(choice.width)}_{choice.kind}"


def _text(duration: str | timedelta | None) -> str:
    if isinstance(duration, str):
        return duration.strip()
    return duration_text(duration_us(cast("timedelta", duration)))  # which says that None is none


def parse_windows(
    windows: Sequence[str | timedelta | WindowChoice], offset: str | timedelta | None
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
