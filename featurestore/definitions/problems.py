"""Where a wrong definition reports its problems: at once, or gathered over a whole module."""

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

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


def require(where: str, holds: Mapping[str, bool]) -> None:
    """Raise what is of a type that nothing more can be said of, even while others are gathered.

    >>> require("view 'v'", {"windows must be a list": False, "stream must be a Stream": True})
    Traceback (most recent call last):
      ...
    featurestore.errors.DefinitionError: view 'v': windows must be a list
    """
    if problems := [f"{where}: {said}" for said, true in holds.items() if not true]:
        raise DefinitionError(problems)


def is_name(name: object) -> bool:
    """Tell whether something can name a definition: it stands in keys, paths and commands.

    >>> is_name("user_payments"), is_name("by user"), is_name("a/b"), is_name("{v}"), is_name("")
    (True, False, False, False, False)
    """
    return isinstance(name, str) and re.fullmatch(r"[^\s/{}\x00-\x1f]+", name) is not None


def is_list(values: object, of: Any) -> bool:
    """Tell whether something is a list, or a tuple, of things of a type.

    >>> is_list(["a"], str), is_list("a", str), is_list(["a", 5], str)
    (True, False, False)
    """
    return isinstance(values, list | tuple) and all(isinstance(value, of) for value in values)


NAME_RULE = "its name must be a word without white space, slashes and braces"


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
