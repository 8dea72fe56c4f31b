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
from featurestore.storage.rows import Rows


class Client:
    """Reads feature vectors from the store.

    Args:
        definitions: A catalog, or the path or module of the definitions.
        url: The store, as ``redis://host:port``.

    Cost: one round trip per call, however many entities.

    ::

        with Client("features.py", "redis://localhost:6379") as client:
            client.get("fraud_v1", {"user_id": "u1", "merchant_id": "m9"})
    """

    def __init__(self, definitions: Catalog | str, url: str) -> None:
        catalog = load(definitions) if isinstance(definitions, str) else definitions
        self._plans = {name: Plan(service) for name, service in catalog.services.items()}
        self._rows = Rows(url)

    def get(
        self, service: str, entity: Mapping[str, object], *, as_of: datetime | int | None = None
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
        self,
        service: str,
        entities: Sequence[Mapping[str, object]],
        *,
        as_of: datetime | int | None = None,
    ) -> list[dict[str, Value]]:
        """Return the vectors of several entities, in their order."""
        names = self._plan(service).features
        vectors = self.vectors(service, entities, as_of=as_of)
        return [dict(zip(names, vector, strict=True)) for vector in vectors.values]

    def vectors(
        self,
        service: str,
        entities: Sequence[Mapping[str, object]],
        *,
        as_of: datetime | int | None = None,
    ) -> Vectors:
        """Return vectors with the status and event time of each value."""
        plan = self._plan(service)
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

    def _plan(self, service: str) -> Plan:
        if service not in self._plans:
            raise UnknownName("service", service, self._plans)
        return self._plans[service]


def _moment(as_of: datetime | int | None) -> int:
    if as_of is None:
        return time.time_ns() // 1000
    return to_us(as_of) if isinstance(as_of, datetime) else as_of
