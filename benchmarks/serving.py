"""Requests per second, against a trivial app and against the same service written the usual way."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial

from benchmarks.harness.agreement import agree
from benchmarks.harness.alone import alone
from benchmarks.harness.api import Api, body, filled, lookups, ours, trivial, uvicorn
from benchmarks.harness.claim import Row, Samples, cpu_note, interleaved, middle
from benchmarks.harness.load import generator
from benchmarks.harness.scale import Scale
from benchmarks.harness.store import Store

AGGREGATIONS, WINDOWS = 21, 5
# service, its features, entities per request
SHAPES = (("ten", 10, 1), ("hundred", 100, 1), ("fifty", 50, 100))
_COMPARED = 20


@dataclass(frozen=True)
class Apis:
    """The APIs that are compared, over one server."""

    server: Store
    ours: Api
    usual: Api
    trivial: Api

    def rows(self, scale: Scale, service: str, features: int, entities: int) -> Iterator[Row]:
        """Ask each in turn."""
        asks = lookups(scale, service, entities)
        for connections in scale.connections:
            takes = {
                name: partial(api.measured, self.server, asks, connections, scale.seconds)
                for name, api in (
                    ("ours", self.ours),
                    ("trivial", self.trivial),
                    ("usual", self.usual),
                )
            }
            samples = interleaved(scale.runs, takes)
            what = f"requests, {entities} x {features}, {connections} connections"
            row = Row("serving", what, "requests/s", samples["ours"])
            load = generator(scale.seconds)
            few = service == "ten" and connections > 1
            yield _beside(row, "raw ASGI app on uvicorn", samples["trivial"], "≥ 1.0" * few, load)
            usual = "FastAPI, pydantic, redis-py"
            yield _beside(row, usual, samples["usual"], "≥ 8" * few, load)


def rows(scale: Scale) -> Iterator[Row]:
    """Measure all shapes."""
    with filled(scale, aggregations=AGGREGATIONS, windows=WINDOWS) as (server, definitions):
        environment = {"BENCHMARK_DEFINITIONS": definitions, "BENCHMARK_REDIS": server.url}
        with (
            ours(server, definitions) as mine,
            uvicorn("benchmarks.peers.usual:app", environment) as usual,
        ):
            sizes = {}
            for service, _, entities in SHAPES:
                asks = lookups(scale, service, entities)
                compare(mine, usual, service, scale)
                sizes[asks.path] = len(mine.answer(asks.path, asks.bodies[0]))
            with trivial(sizes) as raw:
                apis = Apis(server, mine, usual, raw)
                for service, features, entities in SHAPES:
                    yield from apis.rows(scale, service, features, entities)


def compare(one: Api, other: Api, service: str, scale: Scale) -> None:
    """Raise unless both answer alike."""
    users = [number % scale.entities for number in range(_COMPARED)]
    asked = body(users, datetime.now(UTC).isoformat())
    path = f"/v1/features/{service}"
    vectors = [api.ask(path, asked)["vectors"] for api in (one, other)]
    mine, theirs = ({str(n): v for n, v in enumerate(found)} for found in vectors)
    agree(mine, theirs, f"service {service!r}")


def _beside(row: Row, peer: str, theirs: Samples, target: str, load: str) -> Row:
    p99 = middle(theirs, lambda sample: sample.also["p99 ms"])
    note = f"theirs: p99 ms {p99:.3g}, {cpu_note(theirs, 'request')}; load by {load}"
    return replace(row, beside=peer, theirs=theirs, target=target, note=note)


if __name__ == "__main__":
    alone("serving")
