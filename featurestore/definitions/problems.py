"""Where a wrong definition reports its problems: at once, or gathered over a whole module."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar

from featurestore.errors import DefinitionError

_gathered: ContextVar[list[str] | None] = ContextVar("gathered", default=None)


def report(problems: Sequence[str]) -> None:
    """Raise the problems of one definition, or hand them to the `gathering` under way.

    >>> report([])
    >>> report(["entity 'user': no keys"])
    Traceback (most recent call last):
      ...
    featurestore.errors.DefinitionError: entity 'user': no keys
    """
    if not problems:
        return
    gathered = _gathered.get()
    if gathered is None:
        raise DefinitionError(problems)
    gathered.extend(problem for problem in problems if problem not in gathered)


@contextmanager
def gathering() -> Iterator[list[str]]:
    """Let definitions be made although they are wrong; yields the list of all their problems.

    >>> with gathering() as problems:
    ...     report(["view 'a': no features"])
    ...     report(["view 'b': no windows"])
    >>> problems
    ["view 'a': no features", "view 'b': no windows"]
    """
    problems: list[str] = []
    token = _gathered.set(problems)
    try:
        yield problems
    finally:
        _gathered.reset(token)
