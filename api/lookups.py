"""Look-ups: requests for feature vectors, from their bytes to the bytes of the answer.

The hot routes. `api.protocol` calls them before ASGI, `api.app` calls them as a route like any
other; nothing here knows which, so that both answer alike, errors included.
"""

import asyncio
import logging
import struct
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from http import HTTPStatus
from time import perf_counter
from typing import NamedTuple
from urllib.parse import parse_qsl

import msgspec
import orjson

from api.answer import ARROW, JSON, Answer
from api.arrow import arrow_stream
from api.metrics import Metrics
from api.problems import Malformed, problem, problem_of
from featurestore.errors import (
    BadEntity,
    RequestError,
    StoreError,
    UnknownName,
    has,
    hint,
)
from featurestore.instants import instant_text, parse_instant
from featurestore.serving.key_values import parsed
from featurestore.serving.plan import Plan
from featurestore.serving.vector import Vectors
from featurestore.storage.rows import AsyncRows, Found

ROUTE = "/v1/features/{service}"
MOST_ENTITIES = 1000
INCLUDES = ("statuses", "event_times")

_log = logging.getLogger(__name__)

# What a fault of ours can be, such as a row that no release of this library wrote.
_FAULTS = (ArithmeticError, AttributeError, LookupError, TypeError, ValueError, struct.error)

Entity = dict[str, object]


class Request(NamedTuple):
    """A look-up as it came in.

    Attributes:
        service: Its name in the path.
        query: The query string of a GET; None for a POST.
        body: The body of a POST, JSON whatever its content type.
        arrow: Whether the answer is to be an Arrow stream.
    """

    service: str
    query: bytes | None
    body: bytes
    arrow: bool


class _Asked(msgspec.Struct, forbid_unknown_fields=True):
    """The body of a POST."""

    entities: list[Entity]
    as_of: str | None = None
    include: list[str] = []


_BODY = msgspec.json.Decoder(_Asked)


@dataclass(frozen=True)
class _Service:
    """A service that is looked up: its plan, and the part of every answer that is the same."""

    plan: Plan

    @cached_property
    def before_as_of(self) -> bytes:
        return b'{"service":%b,"as_of":"' % orjson.dumps(self.plan.service.name)

    @cached_property
    def after_as_of(self) -> bytes:
        return b'","features":%b,"vectors":' % orjson.dumps(self.plan.features)


class _Lookup(NamedTuple):
    """A look-up understood."""

    service: _Service
    keys: list[bytes]
    entities: int
    as_of_us: int
    as_of: str
    include: Sequence[str]
    arrow: bool


class Lookups:
    """Answers look-ups.

    Args:
        plans: The services by name.
        rows: Where rows come from.
        metrics: Where requests are counted.
        clock: Returns the wall clock in microseconds UTC.
    """

    def __init__(
        self,
        plans: Mapping[str, Plan],
        rows: AsyncRows,
        metrics: Metrics,
        clock: Callable[[], int],
    ) -> None:
        self._services = {name: _Service(plan) for name, plan in plans.items()}
        self._rows, self._metrics, self._clock = rows, metrics, clock

    def start(self, request: Request, done: Callable[[Answer], None]) -> None:
        """Answer a request: call `done`, now or when its rows have come.

        Cost: some 30 µs for one entity of ten features; the fetch is shared with all look-ups of
        the same tick of the event loop.
        """
        began = perf_counter()
        try:
            lookup = self._understood(request)
        except RequestError as error:
            done(self._counted(problem_of(error, f"/v1/features/{request.service}"), began))
            return
        self._rows.fetch_soon(
            lookup.keys, lambda found: done(self._counted(self._answer(lookup, found), began))
        )

    async def answer(self, request: Request) -> Answer:
        """Answer a request."""
        future: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self.start(request, lambda out: None if future.done() else future.set_result(out))
        return await future

    def _understood(self, request: Request) -> _Lookup:
        service = self._services.get(request.service)
        if service is None:
            raise UnknownName("service", request.service, self._services)  # noqa: EM101
        plan = service.plan
        asked = _body(request.body) if request.query is None else _query(request.query, plan)
        count = len(asked.entities)
        if not 1 <= count <= MOST_ENTITIES:
            msg = f"entities must be 1 to {MOST_ENTITIES:,}, got {count:,}"
            raise RequestError(msg)
        for place, name in enumerate(asked.include):
            if name not in INCLUDES:
                msg = f"include[{place}] must be one of {', '.join(INCLUDES)}, got {name!r}"
                raise RequestError(msg + hint(name, INCLUDES))
        as_of_us = self._clock() if asked.as_of is None else _instant(asked.as_of)
        keys = plan.row_keys(asked.entities)
        text = instant_text(as_of_us)
        return _Lookup(service, keys, count, as_of_us, text, asked.include, request.arrow)

    def _answer(self, lookup: _Lookup, found: Found) -> Answer:
        instance = f"/v1/features/{lookup.service.plan.service.name}"
        if isinstance(found, StoreError):
            self._metrics.count("store_errors", 1)
            return problem_of(found, instance)
        try:
            vectors = lookup.service.plan.answer(found, lookup.as_of_us)
            answer = _arrow(lookup, vectors) if lookup.arrow else _json(lookup, vectors)
        except _FAULTS as error:
            _log.exception("a look-up of %s failed", instance)
            status = HTTPStatus.INTERNAL_SERVER_ERROR
            return problem(status, "failure", f"{type(error).__name__}: {error}", instance)
        self._metrics.count("entities", lookup.entities)
        return answer

    def _counted(self, answer: Answer, began: float) -> Answer:
        self._metrics.answered(ROUTE, answer.status, perf_counter() - began)
        return answer


def _body(body: bytes) -> _Asked:
    try:
        return _BODY.decode(body)
    except msgspec.ValidationError as error:
        msg = (
            f'{error}; expected {{"entities": [{{key: value}}], "as_of"?: instant, '
            f'"include"?: [{", ".join(INCLUDES)}]}}'
        )
        raise RequestError(msg) from error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        msg = f"the body is no JSON: {error}"
        raise Malformed(msg) from error


def _query(query: bytes, plan: Plan) -> _Asked:
    """Understand the query string of a GET: keys, ``as_of``, ``include``."""
    try:
        pairs = parse_qsl(query.decode("ascii"), keep_blank_values=True, errors="strict")
    except ValueError as error:
        msg = f"the query is no text in percent-encoded UTF-8: {error}"
        raise RequestError(msg) from error
    entity: Entity = {}
    asked = _Asked([entity])
    known = [*plan.keys, "as_of", "include"]
    for name, text in pairs:
        if name not in known:
            msg = f"there is no query parameter {name!r} {has(known)}{hint(name, known)}"
            raise RequestError(msg)
        if name in plan.keys:
            _put(entity, name, text, plan)
        elif name == "include":
            asked.include += text.split(",")
        else:
            asked.as_of = text
    return asked


def _put(entity: Entity, key: str, text: str, plan: Plan) -> None:
    if key in entity:
        raise BadEntity(0, f"key {key!r} is given twice; ask for several entities with POST")
    try:
        entity[key] = parsed(text, plan.keys[key])
    except ValueError as error:
        raise BadEntity(0, f"key {key!r} {error}") from error


def _instant(text: str) -> int:
    try:
        as_of_us = parse_instant(text)
        instant_text(as_of_us)  # the answer repeats it
    except (ValueError, OverflowError) as error:
        msg = f"as_of: {text[:100]!r} is no instant: write it as 2026-01-31T12:00:00Z"
        raise RequestError(msg) from error
    return as_of_us


def _json(lookup: _Lookup, vectors: Vectors) -> Answer:
    service = lookup.service
    parts = [
        service.before_as_of,
        lookup.as_of.encode(),
        service.after_as_of,
        orjson.dumps(vectors.values),
    ]
    if "statuses" in lookup.include:
        parts += [b',"statuses":', orjson.dumps(vectors.statuses)]
    if "event_times" in lookup.include:
        parts += [b',"event_times":', orjson.dumps(_instants(vectors.event_times))]
    parts.append(b"}")
    return Answer(200, JSON, b"".join(parts))


def _instants(times: Sequence[Sequence[int | None]]) -> list[list[str | None]]:
    """Write instants; most values of a vector share one."""
    texts = {at: instant_text(at) for vector in times for at in set(vector) if at is not None}
    return [[None if at is None else texts[at] for at in vector] for vector in times]


def _arrow(lookup: _Lookup, vectors: Vectors) -> Answer:
    plan = lookup.service.plan
    name, features = plan.service.name, plan.features
    return Answer(200, ARROW, arrow_stream(name, lookup.as_of, features, vectors, lookup.include))
