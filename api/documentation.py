"""What the documentation says of routes that read their bodies themselves, with examples."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from api.asked import CONTEXT, INCLUDES
from api.schemas import FeaturesRequest, Problem
from featurestore.definitions.contract import Column, Kind
from featurestore.definitions.stream import Stream
from featurestore.serving.plan import Plan

DESCRIPTION = """Feature vectors of models, computed from streams and cut at the moment you ask.

A window of length W read at `as_of` covers `(as_of - W, as_of]`. Counts of nothing are 0, every
other value of nothing is null, or the default that the service has for it. Errors are RFC 9457
problem documents."""

_WORDS: dict[Kind, object] = {
    Kind.INT: 1,
    Kind.FLOAT: 12.5,
    Kind.BOOL: True,
    Kind.TEXT: "u1",
    Kind.DATETIME: "2026-01-31T12:00:00Z",
    Kind.DATE: "2026-01-31",
}
_DETAILS = {
    400: "the body is no JSON: Input data was truncated",
    404: "there is no service 'fraud' (has: fraud_v1); did you mean 'fraud_v1'?",
    413: "the body must be at most 4,194,304 bytes; send it in parts",
    422: "entities[0]: key 'user_id' must be str, got int 7",
    429: "about 1,000,000 events of stream 'payments' wait to be applied, and 1,000,000 may",
    500: "on-demand feature 'ratio' raised KeyError in line 7 (ratio): there is no 'spend_1h'",
    503: "cannot reach the store at redis://127.0.0.1:6379: connection refused",
}
_TEXTS = {
    400: "The body is no JSON.",
    404: "There is nothing of that name.",
    413: "The body is too large.",
    422: "The request cannot be answered as it stands.",
    429: "Too many events wait to be applied; try again later.",
    500: "An on-demand feature of the service failed; other services are not touched.",
    503: "The store cannot be reached; try again later.",
}


def problems(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Return what the documentation says of errors."""
    return {status: _problem(status) for status in statuses}


def _problem(status: int) -> dict[str, Any]:
    example = Problem(
        type="urn:featurestore:problem:…",
        title=HTTPStatus(status).phrase,
        status=status,
        detail=_DETAILS[status],
        instance="/v1/…",
    )
    schema = {
        "schema": Problem.model_json_schema(),
        "example": example.model_dump(exclude_none=True),
    }
    return {"description": _TEXTS[status], "content": {"application/problem+json": schema}}


def look_up(plans: Mapping[str, Plan]) -> dict[str, Any]:
    """Document the body of a look-up, with an example for each service."""
    examples = {
        name: {"summary": f"service {name}", "value": request_of(plan)}
        for name, plan in plans.items()
    }
    schema = FeaturesRequest.model_json_schema() | {"additionalProperties": False}
    content = {"application/json": {"schema": schema, "examples": examples}}
    return {"requestBody": {"required": True, "content": content}}


def look_up_one(plans: Mapping[str, Plan]) -> dict[str, Any]:
    """Document the query parameters of a look-up of one entity."""
    examples = {
        name: {"summary": f"service {name}", "value": query_of(plan)}
        for name, plan in plans.items()
    }
    keys = {
        "name": "keys",
        "in": "query",
        "required": True,
        "style": "form",
        "explode": True,
        "description": "The entity's keys, each a parameter of its own: `?user_id=u1&…`; what "
        "on-demand features need besides as `context.amount=12.5`.",
        "schema": {"type": "object", "additionalProperties": True},
        "examples": examples,
    }
    moment = {
        "name": "as_of",
        "in": "query",
        "description": "The moment to look back from; now if absent.",
        "schema": {"type": "string", "format": "date-time"},
    }
    include = {
        "name": "include",
        "in": "query",
        "description": "What to add to the answer, comma-separated.",
        "style": "form",
        "explode": False,
        "schema": {"type": "array", "items": {"enum": [*INCLUDES]}},
    }
    features = {
        "name": "features",
        "in": "query",
        "description": "The features wanted, in the order wanted, comma-separated; all if absent.",
        "style": "form",
        "explode": False,
        "schema": {"type": "array", "items": {"type": "string"}},
    }
    return {"parameters": [keys, moment, include, features]}


def events(streams: Mapping[str, Stream]) -> dict[str, Any]:
    """Document the body of events, with an example for each stream."""
    examples = {
        name: {"summary": f"stream {name}", "value": event_of(stream)}
        for name, stream in streams.items()
    }
    one: dict[str, Any] = {"type": "object", "description": "An event as its contract has it."}
    schema = {"oneOf": [one, {"type": "array", "items": one, "maxItems": 10_000}]}
    content: dict[str, Any] = {
        "application/json": {"schema": schema, "examples": examples},
        "application/x-ndjson": {"schema": {"type": "string", "description": "One event a line."}},
    }
    return {"requestBody": {"required": True, "content": content}}


def entity_of(plan: Plan) -> dict[str, object]:
    """Return an example of an entity."""
    return {key: _WORDS[kind] for key, kind in plan.keys.items()}


def context_of(plan: Plan) -> dict[str, object]:
    """Return an example of a context."""
    return {name: _value(d.kind, d.size) for name, d in plan.context.items()}


def request_of(plan: Plan) -> dict[str, object]:
    """Return an example of the body of a look-up."""
    context = {"context": context_of(plan)} if plan.context else {}
    return {"entities": [entity_of(plan)], **context}


def query_of(plan: Plan) -> dict[str, object]:
    """Return an example of the query of a look-up."""
    context = {
        f"{CONTEXT}{name}": str(value) if isinstance(value, list) else value
        for name, value in context_of(plan).items()
    }
    return entity_of(plan) | context


def event_of(stream: Stream) -> dict[str, Any]:
    """Return an example of an event, nested as the contract is."""
    event: dict[str, Any] = {}
    for column in stream.columns.values():
        if column.path:
            _put(event, column)
    return event


def _put(event: dict[str, Any], column: Column) -> None:
    *parents, leaf = column.path
    for parent in parents:
        event = event.setdefault(parent, {})
    event[leaf] = _value(column.kind, column.size)


def _value(kind: Kind, size: int) -> object:
    return [0.5] * size if kind is Kind.VECTOR else _WORDS[kind]
