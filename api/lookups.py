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

import orjson
from msgspec import Struct

from api.answer import ARROW, JSON, Answer
from api.arrow import arrow_stream
from api.asked import INCLUDES, instant, of_body, of_query
from api.metrics import Metrics
from api.problems import problem, problem_of
from featurestore.errors import (
    OnDemandFailed,
    OwnFailed,
    RequestError,
    StoreError,
    UnknownName,
    hint,
)
from featurestore.instants import instant_text
from featurestore.serving.plan import Plan
from featurestore.serving.question import Question, ask
from featurestore.serving.vector import Vectors
from featurestore.storage.rows import AsyncRows, Found

ROUTE = "/v1/features/{service}"
MOST_ENTITIES = 1000

_log = logging.getLogger(__name__)

# What a fault of ours can be, such as a row that no release of this library wrote.
_FAULTS = (ArithmeticError, AttributeError, LookupError, TypeError, ValueError, struct.error)


class Request(Struct, frozen=True):
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


class _Lookup(Struct, frozen=True):
    """A look-up understood."""

    service: _Service
    question: Question
    entities: int
    as_of: str
    include: Sequence[str]
    arrow: bool

    @property
    def name(self) -> str:
        return self.service.plan.service.name


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

        Cost: some 15 µs for one entity of ten features; the fetch is shared with all look-ups of
        the same tick of the event loop.
        """
        began = perf_counter()
        try:
            lookup = self._understood(request)
        except RequestError as error:
            done(self._counted(problem_of(error, _path(request.service)), began))
            return
        except _FAULTS as error:
            done(self._counted(_failed(_path(request.service), error), began))
            return
        self._rows.fetch_soon(
            lookup.question.keys,
            lambda found: done(self._counted(self._answer(lookup, found), began)),
            lookup.question.clocks,
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
        query = request.query
        asked = of_body(request.body) if query is None else of_query(query, plan)
        count = len(asked.entities)
        if not 1 <= count <= MOST_ENTITIES:
            msg = f"entities must be 1 to {MOST_ENTITIES:,}, got {count:,}"
            raise RequestError(msg)
        for place, name in enumerate(asked.include):
            if name not in INCLUDES:
                msg = f"include[{place}] must be one of {', '.join(INCLUDES)}, got {name!r}"
                raise RequestError(msg + hint(name, INCLUDES))
        question = ask(
            plan,
            asked.entities,
            now_us=self._clock(),
            as_of_us=None if asked.as_of is None else instant(asked.as_of),
            features=asked.features,
            context=asked.context,
        )
        if asked.features is not None:
            service = _Service(question.plan)
        text = instant_text(question.now_us)
        return _Lookup(service, question, count, text, asked.include, request.arrow)

    def _answer(self, lookup: _Lookup, found: Found) -> Answer:
        if isinstance(found, StoreError):
            self._metrics.count("store_errors", 1)
            return problem_of(found, _path(lookup.name))
        try:
            vectors = lookup.question.answer(found, as_columns=lookup.arrow)
            answer = _arrow(lookup, vectors) if lookup.arrow else _json(lookup, vectors)
        except (OnDemandFailed, OwnFailed, *_FAULTS) as error:
            return _failed(_path(lookup.name), error)
        self._metrics.count("entities", lookup.entities)
        return answer

    def _counted(self, answer: Answer, began: float) -> Answer:
        self._metrics.answered(ROUTE, answer.status, perf_counter() - began)
        return answer


def _path(service: str) -> str:
    return f"/v1/features/{service}"


def _failed(path: str, error: Exception) -> Answer:
    _log.error("a look-up of %s failed", path, exc_info=error)
    if isinstance(error, OnDemandFailed | OwnFailed):
        return problem_of(error, path)
    detail = f"{type(error).__name__}: {error}"
    return problem(HTTPStatus.INTERNAL_SERVER_ERROR, "failure", detail, path)


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
    if "exact" in lookup.include:
        parts += [b',"exact":', orjson.dumps(vectors.exact)]
    if vectors.clocks:
        parts += [b',"clocks":', orjson.dumps(_clocks(vectors))]
    parts.append(b"}")
    return Answer(200, JSON, b"".join(parts))


def _clocks(vectors: Vectors) -> dict[str, str]:
    return {stream: instant_text(at) for stream, at in vectors.clocks.items()}


def _instants(times: Sequence[Sequence[int | None]]) -> list[list[str | None]]:
    """Write instants; most values of a vector share one."""
    texts = {at: instant_text(at) for vector in times for at in set(vector) if at is not None}
    return [[None if at is None else texts[at] for at in vector] for vector in times]


def _arrow(lookup: _Lookup, vectors: Vectors) -> Answer:
    features = lookup.service.plan.features
    stream = arrow_stream(lookup.name, lookup.as_of, features, vectors, lookup.include)
    return Answer(200, ARROW, stream)
