"""Agreement: that a peer does the same work, shown on a sample of its answers."""

import math
from collections.abc import Iterable, Mapping, Sequence

from benchmarks.harness import data
from benchmarks.harness.shapes import STANDARD
from benchmarks.harness.store import Store
from featurestore.client import Client

MEASURES = ("payments", "spent1", "average1", "deviation1", "smallest1", "largest1")
_CLOSE = 1e-6  # their formulas for a deviation round differently


def ours(
    server: Store, users: Iterable[int], as_of_us: int, window: str
) -> dict[str, tuple[float | None, ...]]:
    """Return our features of users, over a window that ends at an instant."""
    names = [f"{measure}_{window}" for measure in MEASURES]
    with Client(STANDARD, server.url) as client:
        keys = [data.user_id(user) for user in users]
        found = client.get_many("all", [{"user_id": key} for key in keys], as_of=as_of_us)
    return {
        key: tuple(vector[name] for name in names)  # type: ignore[misc] # all are numbers
        for key, vector in zip(keys, found, strict=True)
    }


def agree(
    ours_by_user: Mapping[str, Sequence[float | None]],
    theirs_by_user: Mapping[str, Sequence[float | None] | None],
    what: str,
) -> int:
    """Raise unless all answers are equal; return how many users had any event."""
    seen = 0
    for user, found in ours_by_user.items():
        mine, theirs = _known(found), _known(theirs_by_user.get(user))
        seen += bool(mine)
        if not _same(mine, theirs):
            msg = f"{what} differs for {user}: ours {mine}, theirs {theirs}"
            raise AssertionError(msg)
    if not seen:
        msg = f"{what}: none of the users that were compared has an event"
        raise AssertionError(msg)
    return seen


def _known(found: Sequence[float | None] | None) -> Sequence[float | None]:
    """Return what is known of a user; nothing if no event is counted."""
    return found if found and found[0] else ()


def _same(left: Sequence[float | None], right: Sequence[float | None]) -> bool:
    if len(left) != len(right):
        return False
    return all(_close(one, other) for one, other in zip(left, right, strict=True))


def _close(one: float | None, other: float | None) -> bool:
    if one is None or other is None:
        return one is other
    return math.isclose(one, other, rel_tol=_CLOSE, abs_tol=_CLOSE)
