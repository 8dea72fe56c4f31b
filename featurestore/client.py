"""The client: feature vectors in process, without HTTP."""

import time
from collections.abc import Mapping, Sequence
from datetime import datetime
from types import TracebackType
from typing import Self

from featurestore.aggregation.windows import Value
from featurestore.definitions.catalog import Catalog, load
from featurestore.errors import UnknownName
from featurestore.instants import to_us
from featurestore.serving.plan import Plan
from featurestore.serving.vector import Vectors
from featurestore.storage.rows import AsyncRows, Rows

Entity = Mapping[str, object]


class Client:
    """Reads feature vectors from the store.

    Args:
        definitions: A catalog, or the path or module of the definitions.
        url: The store, as ``redis://host:port``.

    Cost: one round trip per call, however many entities. For one thread at a time.

    ::

        with Client("features.py", "redis://localhost:6379") as client:
            client.get("fraud_v1", {"user_id": "u1", "merchant_id": "m9"})
    """

    def __init__(self, definitions: Catalog | str, url: str) -> None:
        self._plans = _plans(definitions)
        self._rows = Rows(url)

    def get(
        self, service: str, entity: Entity, *, as_of: datetime | int | None = None
    ) -> dict[str, Value]:
        """Return the vector of one entity by feature name.

        Args:
            service: The service's name.
            entity: Its keys.
            as_of: The moment to look back from (an instant, or microseconds UTC); now if None.

        Raises:
            UnknownName: There is no such service.
            BadEntity: A key is missing or of the wrong type.
            StoreError: The store cannot be read.
        """
        return self.get_many(service, [entity], as_of=as_of)[0]

    def get_many(
        self, service: str, entities: Sequence[Entity], *, as_of: datetime | int | None = None
    ) -> list[dict[str, Value]]:
        """Return the vectors of several entities, in their order."""
        vectors = self.vectors(service, entities, as_of=as_of)
        return _named(_plan(self._plans, service), vectors)

    def vectors(
        self, service: str, entities: Sequence[Entity], *, as_of: datetime | int | None = None
    ) -> Vectors:
        """Return vectors with the status and event time of each value."""
        plan = _plan(self._plans, service)
        rows = self._rows.fetch(plan.row_keys(entities))
        return plan.answer(rows, _moment(as_of))

    def close(self) -> None:
        """Close the connection."""
        self._rows.close()

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

    def __init__(self, definitions: Catalog | str, url: str) -> None:
        self._plans = _plans(definitions)
        self._rows = AsyncRows(url)

    async def get(
        self, service: str, entity: Entity, *, as_of: datetime | int | None = None
    ) -> dict[str, Value]:
        """Return the vector of one entity by feature name; as `Client.get`."""
        return (await self.get_many(service, [entity], as_of=as_of))[0]

    async def get_many(
        self, service: str, entities: Sequence[Entity], *, as_of: datetime | int | None = None
    ) -> list[dict[str, Value]]:
        """Return the vectors of several entities, in their order."""
        vectors = await self.vectors(service, entities, as_of=as_of)
        return _named(_plan(self._plans, service), vectors)

    async def vectors(
        self, service: str, entities: Sequence[Entity], *, as_of: datetime | int | None = None
    ) -> Vectors:
        """Return vectors with the status and event time of each value."""
        plan = _plan(self._plans, service)
        rows = await self._rows.fetch(plan.row_keys(entities))
        return plan.answer(rows, _moment(as_of))

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


def _plans(definitions: Catalog | str) -> dict[str, Plan]:
    catalog = load(definitions) if isinstance(definitions, str) else definitions
    return {name: Plan(service) for name, service in catalog.services.items()}


def _plan(plans: Mapping[str, Plan], service: str) -> Plan:
    if service not in plans:
        raise UnknownName("service", service, plans)  # noqa: EM101 - it is no message
    return plans[service]


def _named(plan: Plan, vectors: Vectors) -> list[dict[str, Value]]:
    return [dict(zip(plan.features, vector, strict=True)) for vector in vectors.values]


def _moment(as_of: datetime | int | None) -> int:
    if as_of is None:
        return time.time_ns() // 1000
    return to_us(as_of) if isinstance(as_of, datetime) else as_of
