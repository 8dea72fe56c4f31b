"""The app: every route, documented; the hot ones are answered before it when they can be."""

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request, Response
from msgspec.structs import replace
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.routing import Match, Route

from api.answer import ARROW, Answer
from api.counting import COUNTED, Counting
from api.documentation import DESCRIPTION, events, look_up, look_up_one, problems
from api.ingest import ROUTE as EVENTS_ROUTE
from api.ingest import Ingest
from api.lookups import ROUTE as FEATURES_ROUTE
from api.lookups import Lookups
from api.lookups import Request as Lookup
from api.metrics import Metrics
from api.problems import TooLarge, problem, problem_of
from api.schemas import EventsResponse, FeaturesResponse, Services, State, Streams, Views
from featurestore.definitions.catalog import Catalog
from featurestore.errors import FeatureStoreError, StoreError
from featurestore.serving.plan import Plan
from featurestore.storage.events import Events
from featurestore.storage.rows import AsyncRows


@dataclass(frozen=True)
class Limits:
    """How much a server takes.

    Attributes:
        lookup_bytes: The largest body of a look-up.
        events_bytes: The largest body of events.
        events_waiting: How many events a stream may hold that no flow has committed.
        deadline: How many seconds the store may take to answer.
    """

    lookup_bytes: int = 4 << 20
    events_bytes: int = 16 << 20
    events_waiting: int = 1_000_000
    deadline: float = 5.0


def create_app(
    catalog: Catalog, url: str, metrics: Metrics | None = None, limits: Limits | None = None
) -> FastAPI:
    """Return the app that serves a catalog.

    Args:
        catalog: The definitions.
        url: The store.
        metrics: Where requests are counted.
        limits: How much it takes.
    """
    metrics, limits = metrics or Metrics.alone(), limits or Limits()
    plans = {name: Plan(service) for name, service in catalog.services.items()}
    rows, door = AsyncRows(url, limits.deadline), Events(url, limits.deadline)
    lookups = Lookups(plans, rows, metrics, _now_us)
    ingest = Ingest(catalog, door, metrics, limits.events_waiting)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[dict[str, Any]]:
        await rows.start()
        await door.start()
        yield {"lookups": lookups, "lookup_bytes": limits.lookup_bytes}
        await rows.stop()
        await door.stop()
        ingest.close()

    app = FastAPI(
        title="featurestore",
        version="1",
        description=DESCRIPTION,
        lifespan=lifespan,
        redirect_slashes=False,
        telemetry={"tracing": False, "metrics": False, "logs": False},
    )
    _add_errors(app)
    app.add_middleware(Counting, metrics=metrics)
    _add_lookups(app, lookups, plans, limits)
    _add_ingest(app, ingest, limits)
    _add_descriptions(app, catalog, plans)
    _add_operations(app, catalog, rows, door, metrics)
    return app


def _now_us() -> int:
    return time.time_ns() // 1000


def _add_lookups(app: FastAPI, lookups: Lookups, plans: dict[str, Plan], limits: Limits) -> None:
    responses: Any = {
        200: {"model": FeaturesResponse, "content": {ARROW.decode(): {}}},
        **problems(400, 404, 413, 422, 500, 503),
    }
    one, many = look_up_one(plans), look_up(plans)

    @app.post(FEATURES_ROUTE, responses=responses, openapi_extra=many, tags=["features"])
    async def features(service: str, request: Request) -> Response:
        """Look up the feature vectors of 1 to 1,000 entities."""
        body = await _body(request, limits.lookup_bytes)
        return await _looked_up(
            lookups, Lookup(service, None, body, _wants_arrow(request)), request
        )

    @app.get(FEATURES_ROUTE, responses=responses, openapi_extra=one, tags=["features"])
    async def features_of_one(service: str, request: Request) -> Response:
        """Look up the feature vector of one entity; its keys are query parameters."""
        query: bytes = request.scope["query_string"]
        return await _looked_up(
            lookups, Lookup(service, query, b"", _wants_arrow(request)), request
        )


def _add_ingest(app: FastAPI, ingest: Ingest, limits: Limits) -> None:
    @app.post(
        EVENTS_ROUTE,
        status_code=202,
        response_model=EventsResponse,
        responses=problems(400, 404, 413, 429, 503),
        openapi_extra=events(ingest.catalog.streams),
        tags=["events"],
    )
    async def take_events(stream: str, request: Request) -> Response:
        """Take events in: up to 10,000, checked against the stream's contract.

        Answered once the store has the accepted ones; the rejected ones are named with reasons
        and are not kept.
        """
        ingest.catalog.stream(stream)
        return _response(await ingest.take(stream, await _body(request, limits.events_bytes)))


def _add_descriptions(app: FastAPI, catalog: Catalog, plans: dict[str, Plan]) -> None:
    services, views, streams = Services.of(plans), Views.of(catalog), Streams.of(catalog)

    @app.get("/v1/services", tags=["definitions"], response_model_exclude_none=True)
    async def list_services() -> Services:
        """List the services: their keys and features."""
        return services

    @app.get("/v1/views", tags=["definitions"])
    async def list_views() -> Views:
        """List the views: what is computed from which stream."""
        return views

    @app.get("/v1/streams", tags=["definitions"])
    async def list_streams() -> Streams:
        """List the streams: their contracts."""
        return streams


def _add_operations(
    app: FastAPI, catalog: Catalog, rows: AsyncRows, door: Events, metrics: Metrics
) -> None:
    @app.get("/healthz", tags=["operations"])
    async def health() -> State:
        """Tell that the process is up."""
        return State(status="ok")

    @app.get("/readyz", tags=["operations"], responses=problems(503))
    async def readiness() -> State:
        """Tell that the store answers."""
        await rows.ping()
        return State(status="ready")

    @app.get("/metrics", tags=["operations"], response_class=_Text)
    async def prometheus() -> Response:
        """Tell all counters in the text format of Prometheus."""
        try:
            counts = {stream: await door.counts(stream) for stream in catalog.streams}
        except StoreError:  # then there is nothing to say of streams
            counts = {}
        return _Text(metrics.text(counts, _now_us()))


class _Text(Response):
    media_type = "text/plain; version=0.0.4; charset=utf-8"


def _add_errors(app: FastAPI) -> None:
    @app.exception_handler(FeatureStoreError)
    async def ours(request: Request, error: FeatureStoreError) -> Response:
        return _response(problem_of(error, request.url.path))

    @app.exception_handler(HTTPException)
    async def of_http(request: Request, error: HTTPException) -> Response:
        return _response(_of_http(app, request, error))

    @app.exception_handler(ClientDisconnect)
    async def gone(request: Request, _: ClientDisconnect) -> Response:
        detail = "the connection ended before the body did"  # for the metrics; nobody reads it
        return _response(problem(HTTPStatus.BAD_REQUEST, "bad-request", detail, request.url.path))

    @app.exception_handler(Exception)
    async def unexpected(request: Request, error: Exception) -> Response:
        detail = f"{type(error).__name__}: {error}"
        status = HTTPStatus.INTERNAL_SERVER_ERROR
        return _response(problem(status, "failure", detail, request.url.path))


def _of_http(app: FastAPI, request: Request, error: HTTPException) -> Answer:
    status, path = HTTPStatus(error.status_code), request.url.path
    if status is HTTPStatus.METHOD_NOT_ALLOWED:
        allow = ", ".join(_methods(app, request))
        detail = f"{request.method} is not for this path; allowed: {allow}"
        answer = problem(status, "method-not-allowed", detail, path)
        return replace(answer, headers=((b"allow", allow.encode()),))
    if status is HTTPStatus.NOT_FOUND:
        return problem(status, "unknown-path", f"there is no such path; see {app.docs_url}", path)
    return problem(status, "failure", str(error.detail), path)


def _methods(app: FastAPI, request: Request) -> list[str]:
    """Name the methods of all routes of a path; each route knows only its own."""
    routes = [route for route in app.routes if isinstance(route, Route)]
    here = [route for route in routes if route.matches(request.scope)[0] is not Match.NONE]
    return sorted({method for route in here for method in route.methods or ()})


async def _looked_up(lookups: Lookups, lookup: Lookup, request: Request) -> Response:
    request.scope[COUNTED] = True
    return _response(await lookups.answer(lookup))


async def _body(request: Request, most: int) -> bytes:
    """Return the body, unless it is too large; then what is left of it is not read."""
    length = request.headers.get("content-length", "0")
    body = bytearray()
    if int(length) <= most:
        async for part in request.stream():
            body += part
            if len(body) > most:
                break
        else:
            return bytes(body)
    msg = f"the body must be at most {most:,} bytes; send it in parts"
    raise TooLarge(msg)


def _wants_arrow(request: Request) -> bool:
    return ARROW.decode() in request.headers.get("accept", "").lower()


def _response(answer: Answer) -> Response:
    headers = {name.decode(): value.decode() for name, value in answer.headers}
    headers["content-type"] = answer.content_type.decode()
    return Response(answer.body, answer.status, headers)
