"""Everything this library raises on purpose, by whose fault it is.

::

    FeatureStoreError
    ├── DefinitionError      the definitions are wrong: all their problems, before any event is read
    ├── RequestError         the caller asked for something that cannot be answered
    │   ├── UnknownName      no service, view, stream or entity of that name
    │   ├── BadEntity        a key is missing or of the wrong type
    │   ├── BadFeature       a feature is asked for that is not there
    │   └── BadContext       the context lacks a value or has one of the wrong type
    ├── OnDemandFailed       a function of the definitions raised, or gave what it did not promise
    ├── OwnFailed            an aggregation of the definitions raised, or gave what does not fit
    ├── SourceError          a source of events cannot be read
    ├── Fault                something broke that should not: in this library, or in code of yours
    └── StoreError           the store did not do what was asked
        ├── StoreUnreachable no connection to it
        ├── StoreRefused     it answered with an error (no permission, not ours, not durable)
        │   └── StoreBusy    … that may pass: loading, out of memory, read-only, disk full
        └── Fenced           another flow took over; this one must stop

A bad *event* is never an exception: it becomes a `contracts.rejection.Rejection`.
"""

import re
import reprlib
from collections.abc import Iterable, Sequence
from difflib import get_close_matches

_LONGEST_SLIP = 200  # whoever wrote more meant something else; it takes as long as it is
_BRIEFLY = reprlib.Repr()
_BRIEFLY.maxlevel = 3
_BRIEFLY.maxstring = _BRIEFLY.maxlong = _BRIEFLY.maxother = 200


class FeatureStoreError(Exception):
    """Base of every error raised on purpose; its text is one message for the user."""


class DefinitionError(FeatureStoreError):
    """The definitions cannot work; carries every problem found.

    >>> print(DefinitionError(["view 'a': window '1x' is no duration", "view 'b': no features"]))
    2 problems in the definitions:
      1. view 'a': window '1x' is no duration
      2. view 'b': no features
    """

    def __init__(self, problems: Sequence[str]) -> None:
        self.problems = tuple(problems)
        super().__init__(_numbered(self.problems))


class RequestError(FeatureStoreError):
    """The request cannot be answered as it stands."""


class UnknownName(RequestError):
    """No service, view, stream or entity has this name.

    >>> print(UnknownName("service", "fraud", ["fraud_v1", "risk"]))
    there is no service 'fraud' (has: fraud_v1, risk); did you mean 'fraud_v1'?
    """

    def __init__(self, what: str, name: str, known: Iterable[str]) -> None:
        self.what, self.name, self.known = what, name, sorted(known)
        super().__init__(f"there is no {what} {name!r} {has(self.known)}{hint(name, self.known)}")


class BadEntity(RequestError):
    """An entity in a request lacks a key or has one of the wrong type."""

    def __init__(self, index: int, problem: str) -> None:
        self.index, self.problem = index, problem
        self.pointer = f"/entities/{index}"
        super().__init__(f"entities[{index}]: {problem}")


class BadFeature(RequestError):
    """A feature in a request is not there, or stands twice.

    >>> print(BadFeature(0, "there is no feature 'spent'"))
    features[0]: there is no feature 'spent'
    """

    def __init__(self, index: int, problem: str) -> None:
        self.index, self.problem = index, problem
        self.pointer = f"/features/{index}"
        super().__init__(f"features[{index}]: {problem}")


class BadContext(RequestError):
    """The context of a request lacks a value or has one of the wrong type.

    Attributes:
        index: Which of the entities it is for; None for all.

    >>> print(BadContext(2, "'amount' must be float, got str 'x'"))
    context[2]: 'amount' must be float, got str 'x'
    """

    def __init__(self, index: int | None, problem: str) -> None:
        self.index, self.problem = index, problem
        self.pointer = "/context" if index is None else f"/context/{index}"
        super().__init__(f"context{'' if index is None else f'[{index}]'}: {problem}")


class OnDemandFailed(FeatureStoreError):
    """A function of the definitions raised, or gave something else than it promised.

    >>> print(OnDemandFailed("ratio", "raised KeyError: 'spent'"))
    on-demand feature 'ratio' raised KeyError: 'spent'
    """

    def __init__(self, name: str, problem: str) -> None:
        self.name, self.problem = name, problem
        super().__init__(f"on-demand feature {name!r} {problem}")


class OwnFailed(FeatureStoreError):
    """An aggregation of the definitions' own failed.

    >>> print(OwnFailed("power v1", "merge raised KeyError: 'sum'"))
    own aggregation power v1: merge raised KeyError: 'sum'
    """

    def __init__(self, name: str, problem: str) -> None:
        self.name, self.problem = name, problem
        super().__init__(f"own aggregation {name}: {problem}")


class SourceError(FeatureStoreError):
    """A source of events cannot be opened or read."""


class Fault(FeatureStoreError):
    """A step of the flow broke: in this library, or in code that the definitions bring along."""

    def __init__(self, where: str, error: Exception, at: str) -> None:
        self.where, self.error = where, error
        super().__init__(
            f"{where}: {type(error).__name__}: {error} ({at}); this is a fault in featurestore or "
            "in your definitions' code, not in the events; none of them was lost, and the position "
            "in the source has not moved past them: mend it and start the flow again"
        )


class StoreError(FeatureStoreError):
    """The store did not do what was asked; nothing was lost, nothing was committed."""


class StoreUnreachable(StoreError):
    """No connection to the store; its text has the URL without the password.

    >>> print(StoreUnreachable("redis://app:s3cret@cache:6379/0", "connection refused"))
    cannot reach the store at redis://app:***@cache:6379/0: connection refused
    """

    def __init__(self, url: str, cause: object) -> None:
        self.url = url
        super().__init__(f"cannot reach the store at {without_password(url)}: {cause}")


class StoreRefused(StoreError):
    """The store answered with an error."""


class StoreBusy(StoreRefused):
    """The store answered with an error that may pass; asking again later may help."""


class Fenced(StoreError):
    """Another flow took over this source partition; this flow must stop."""

    def __init__(self, stream: str, partition: str) -> None:
        self.stream, self.partition = stream, partition
        super().__init__(
            f"another flow took over partition {partition!r} of stream {stream!r}; this one stops "
            "without having lost or doubled an event"
        )


def without_password(url: str) -> str:
    """Return a store's URL as it may be shown.

    >>> without_password("unix://:pw@/run/redis.sock"), without_password("redis://h?password=pw")
    ('unix://:***@/run/redis.sock', 'redis://h?password=***')
    """
    url = re.sub(r"(://[^:/@?]*):.*@", r"\1:***@", url)
    return re.sub(r"([?&]password=)[^&]*", r"\1***", url)


def has(known: Sequence[str]) -> str:
    """Say which names exist.

    >>> has(["amount", "paid_at"]), has([])
    ('(has: amount, paid_at)', '(has none)')
    """
    return f"(has: {', '.join(known)})" if known else "(has none)"


def hint(name: str, known: Iterable[str]) -> str:
    """Suggest the name that was probably meant, or say nothing.

    >>> hint("amont", ["amount", "user_id"]), hint("zzz", ["amount"])
    ("; did you mean 'amount'?", '')
    """
    close = get_close_matches(name, list(known), n=1) if len(name) <= _LONGEST_SLIP else []
    return f"; did you mean {close[0]!r}?" if close else ""


def shown(value: object) -> str:
    """Write a value that came, however long it is or deep: `repr` gives up on the deepest.

    >>> shown("a"), shown([[[[["a"]]]]])
    ("'a'", '[[[[...]]]]')
    """
    return _BRIEFLY.repr(value)


def _numbered(problems: Sequence[str]) -> str:
    if len(problems) == 1:
        return problems[0]
    lines = [f"  {number}. {problem}" for number, problem in enumerate(problems, 1)]
    return "\n".join([f"{len(problems)} problems in the definitions:", *lines])
