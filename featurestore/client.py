"""The client: feature vectors in process, without HTTP."""

import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Protocol, Self, TypedDict

from featurestore.aggregation.windows import Value
from featurestore.definitions.catalog import Catalog, load
from featurestore.errors import UnknownName
from featurestore.instants import Moment, moment_us
from featurestore.serving.context import Given
from featurestore.serving.plan import Plan
from featurestore.serving.question import ask
from featurestore.serving.vector import Vectors
from featurestore.storage.embedded import store_url
from featurestore.storage.rows import AsyncRows, Rows

Entity = Mapping[str, object]


def wall_us() -> int:
    """Return the wall clock in microseconds UTC."""
    return time.time_ns() // 1000


class Fetches(Protocol):
    """Where rows are fetched from."""

    def fetch(self, keys: Sequence[bytes], clocks: Sequence[bytes] = ()) -> list[bytes | None]:
        """Return the row under each key, then each event clock; None where there is none."""
        ...

    def close(self) -> None:
        """Let go of what is open."""
        ...


class Client:
    """Reads feature vectors from the store.

    Args:
        definitions: A catalog, or the path or module of the definitions.
        url: The store, as ``redis://host:port``; None: the embedded server of this directory, of
            which `close` lets go.
        rows: Where rows are fetched from, in the place of a store.
        clock: Returns the time in microseconds UTC.

    Cost: one round trip per call, however many entities. Threads that share
    a client wait for each other; with one each they do not.

    ::

        with Client("features.py", "redis://localhost:6379") as client:
            client.get("fraud_v1", {"user_id": "u1", "merchant_id": "m9"})
    """

    def __init__(
        self,
        definitions: Catalog | str | Path,
        url: str | None = None,
        *,
        rows: Fetches | None = None,
        clock: Callable[[], int] = wall_us,
    ) -> None:
        self._plans, self._clock = _plans(definitions), clock
        self._store = ExitStack()
        self._rows = rows or Rows(self._store.enter_context(store_url(url)))

    def get(
        self,
        service: str,
        entity: Entity,
        *,
        as_of: Moment | None = None,
        features: Sequence[str] | None = None,
        context: Mapping[str, object] | None = None,
    ) -> dict[str, Value]:
        """Return the vector of one entity by feature name.

        Args:
            service: The service's name.
            entity: Its keys.
            as_of: The moment to look back from (a datetime, text as ``2026-01-31T12:00:00Z``, or
                microseconds UTC); if None that of each view's clock.
            features: The features wanted, in the order wanted; all of the service if None.
            context: What on-demand features are computed of besides.

        Raises:
            UnknownName: There is no such service.
            BadEntity: A key is missing or of the wrong type.
            BadFeature: A feature is not there.
            BadContext: A value of the context is missing, unknown or of the wrong type.
            OnDemandFailed: A function of the service failed.
            StoreError: The store cannot be read.
        """
        return self.get_many(service, [entity], as_of=as_of, features=features, context=context)[0]

    def get_many(
        self,
        service: str,
        entities: Sequence[Entity],
        *,
        as_of: Moment | None = None,
        features: Sequence[str] | None = None,
        context: Given = None,
    ) -> list[dict[str, Value]]:
        """Return the vectors of several entities, in their order.

        The context is one for all of them, or one for each.
        """
        return _named(
            self.vectors(service, entities, as_of=as_of, features=features, context=context)
        )

    def vectors(
        self,
        service: str,
        entities: Sequence[Entity],
        *,
        as_of: Moment | None = None,
        features: Sequence[str] | None = None,
        context: Given = None,
    ) -> Vectors:
        """Return vectors, which know the status, event time and exactness of each value."""
        plan = _plan(self._plans, service)
        moments = _moments(self._clock(), as_of)
        question = ask(plan, entities, **moments, features=features, context=context)
        return question.answer(self._rows.fetch(question.keys, question.clocks))

    def close(self) -> None:
        """Close the connection."""
        self._rows.close()
        self._store.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


class AsyncClient:
    """Reads feature vectors from the store in an event loop; any number of tasks may share it.

    Args:
        definitions: A catalog, or the path or module of the definitions.
        url: The store, as ``redis://host:port``.

    Cost: what all tasks ask within one tick of the loop shares one round trip.

    ::

        async with AsyncClient("features.py", "redis://localhost:6379") as client:
            await client.get("fraud_v1", {"user_id": "u1", "merchant_id": "m9"})
    """

    def __init__(self, definitions: Catalog | str | Path, url: str) -> None:
        self._plans = _plans(definitions)
        self._rows = AsyncRows(url)

    async def get(
        self,
        service: str,
        entity: Entity,
        *,
        as_of: Moment | None = None,
        features: Sequence[str] | None = None,
        context: Mapping[str, object] | None = None,
    ) -> dict[str, Value]:
        """Return the vector of one entity by feature name; as `Client.get`."""
        return (
            await self.get_many(service, [entity], as_of=as_of, features=features, context=context)
        )[0]

    async def get_many(
        self,
        service: str,
        entities: Sequence[Entity],
        *,
        as_of: Moment | None = None,
        features: Sequence[str] | None = None,
        context: Given = None,
    ) -> list[dict[str, Value]]:
        """Return the vectors of several entities, in their order.

        The context is one for all of them, or one for each.
        """
        return _named(
            await self.vectors(service, entities, as_of=as_of, features=features, context=context)
        )

    async def vectors(
        self,
        service: str,
        entities: Sequence[Entity],
        *,
        as_of: Moment | None = None,
        features: Sequence[str] | None = None,
        context: Given = None,
    ) -> Vectors:
        """Return vectors, which know the status, event time and exactness of each value."""
        plan = _plan(self._plans, service)
        moments = _moments(wall_us(), as_of)
        question = ask(plan, entities, **moments, features=features, context=context)
        return question.answer(await self._rows.fetch(question.keys, question.clocks))

    async def __aenter__(self) -> Self:
        await self._rows.start()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._rows.stop()


def _plans(definitions: Catalog | str | Path) -> dict[str, Plan]:
    if not isinstance(definitions, Catalog):
        definitions = load(str(definitions))
    return {name: Plan(service) for name, service in definitions.services.items()}


def _plan(plans: Mapping[str, Plan], service: str) -> Plan:
    if service not in plans:
        raise UnknownName("service", service, plans)  # noqa: EM101 - it is no message
    return plans[service]


def _named(vectors: Vectors) -> list[dict[str, Value]]:
    names = vectors.shape.features
    return [dict(zip(names, vector, strict=True)) for vector in vectors.values]


class _Moments(TypedDict):
    now_us: int
    as_of_us: int | None


def _moments(now_us: int, as_of: Moment | None) -> _Moments:
    return {"now_us": now_us, "as_of_us": None if as_of is None else moment_us(as_of)}
