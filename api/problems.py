"""Problems: errors as RFC 9457 documents.

A caller's mistake is a 4xx and says where it is and what was expected; a 5xx is the store's or
ours, and says when to try again.
"""

from http import HTTPStatus

import orjson

from api.answer import PROBLEM, Answer
from featurestore.errors import (
    BadContext,
    BadEntity,
    BadFeature,
    FeatureStoreError,
    OnDemandFailed,
    RequestError,
    StoreError,
    UnknownName,
)

_RETRY_SECONDS = 1
_LONGEST = 4000  # of a detail, which repeats what came
_PARTS: dict[type, str] = {
    BadEntity: "bad-entity",
    BadFeature: "bad-feature",
    BadContext: "bad-context",
}


class Malformed(RequestError):
    """The body is no JSON."""


class TooLarge(RequestError):
    """The body, or what is asked in it, is larger than allowed."""


class Overloaded(FeatureStoreError):
    """Events come in faster than they are applied."""


def problem_of(error: FeatureStoreError, instance: str) -> Answer:
    """Return the document for an error.

    >>> problem_of(BadEntity(3, "key 'user_id' must be str, got int 7"), "/v1/features/f").status
    422
    """
    more: dict[str, object] = {}
    match error:
        case Malformed():
            status, kind = HTTPStatus.BAD_REQUEST, "malformed-json"
        case TooLarge():
            status, kind = HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "too-large"
        case Overloaded():
            status, kind = HTTPStatus.TOO_MANY_REQUESTS, "overloaded"
        case UnknownName():
            status, kind = HTTPStatus.NOT_FOUND, f"unknown-{error.what}"
        case BadEntity() | BadFeature() | BadContext():
            status, kind = HTTPStatus.UNPROCESSABLE_ENTITY, _PARTS[type(error)]
            more["pointer"] = error.pointer
        case OnDemandFailed():
            status, kind = HTTPStatus.INTERNAL_SERVER_ERROR, "on-demand-failed"
        case RequestError():
            status, kind = HTTPStatus.UNPROCESSABLE_ENTITY, "bad-request"
        case StoreError():
            status, kind = HTTPStatus.SERVICE_UNAVAILABLE, "store-unavailable"
        case _:
            status, kind = HTTPStatus.INTERNAL_SERVER_ERROR, "failure"
    return problem(status, kind, str(error), instance, **more)


def problem(status: HTTPStatus, kind: str, detail: str, instance: str, **more: object) -> Answer:
    """Return a problem document.

    Args:
        status: The status code; its phrase is the title.
        kind: What kind of problem, stable for programs; the end of its ``type``.
        detail: Where, what was expected, what came, what to do.
        instance: The path that was asked.
        more: Further members.

    >>> print(problem(HTTPStatus.NOT_FOUND, "unknown-path", "there is no such path", "/x").body)
    b'{"type":"urn:featurestore:problem:unknown-path","title":"Not Found","status":404,...}'
    """
    document = {
        "type": f"urn:featurestore:problem:{kind}",
        "title": status.phrase,
        "status": status.value,
        "detail": detail if len(detail) <= _LONGEST else f"{detail[:_LONGEST]}…",
        "instance": instance,
        **more,
    }
    headers: tuple[tuple[bytes, bytes], ...] = ()
    if status in (HTTPStatus.SERVICE_UNAVAILABLE, HTTPStatus.TOO_MANY_REQUESTS):
        headers = ((b"retry-after", b"%d" % _RETRY_SECONDS),)
    if status is HTTPStatus.REQUEST_ENTITY_TOO_LARGE:
        headers = ((b"connection", b"close"),)  # the rest of the body is not waited for
    return Answer(status.value, PROBLEM, orjson.dumps(document), headers)
