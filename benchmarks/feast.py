"""Against ``feast serve`` with its Redis online store: same entities and features, same server."""

import json
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path

from benchmarks.harness import data
from benchmarks.harness.agreement import agree
from benchmarks.harness.alone import alone
from benchmarks.harness.api import Api, filled, lookups, ours, serving
from benchmarks.harness.claim import Row, Sample, cpu_note, interleaved, middle
from benchmarks.harness.environments import python_of
from benchmarks.harness.load import Asks, generator
from benchmarks.harness.processes import free_port, to_end
from benchmarks.harness.scale import Scale
from benchmarks.harness.store import Store
from benchmarks.serving import AGGREGATIONS, WINDOWS
from featurestore.client import Client
from featurestore.definitions.catalog import load

PACKAGES = ("feast[redis]==0.67.0",)
# Service, its features, entities per request, connections, target. Feast is fastest at 8; with 64
# connections it answers none of the largest within half a minute.
SHAPES = (
    ("ten", 10, 1, 8, "≥ 40, p99 ≤ 1/10"),
    ("ten", 10, 1, 64, "≥ 40, p99 ≤ 1/10"),
    ("hundred", 100, 1, 8, ""),
    ("fifty", 50, 100, 8, "≥ 20, p99 ≤ 1/10"),
)
MOST_ENTITIES = 10_000  # Feast writes some hundred a second; rows are as long as in `serving`
_SCRIPT = Path(__file__).parent / "peers" / "feast_store.py"
_COMPARED = 20


def rows(scale: Scale) -> Iterator[Row]:
    """Measure both forms of its requests: the feature service by name, and features by name."""
    fewer = min(1.0, MOST_ENTITIES / scale.entities)
    events, entities = int(scale.events * fewer), int(scale.entities * fewer)
    scale = replace(scale, events=events, entities=entities)
    shape = {"aggregations": AGGREGATIONS, "windows": WINDOWS}
    with (
        tempfile.TemporaryDirectory() as folder,
        filled(scale, **shape) as (server, definitions),
        _feast(Path(folder), server, definitions, scale) as (theirs, services),
        ours(server, definitions) as mine,
    ):
        _compare(Path(folder) / "values.jsonl", theirs)
        for service, features, entities, connections, target in SHAPES:
            asks = lookups(scale, service, entities)
            by_service = _asks(scale, entities, {"feature_service": service})
            refs = [f"spend:{name}" for name in services[service]]
            by_name = _asks(scale, entities, {"features": refs})
            load = {
                "ours": (mine, asks),
                "service": (theirs, by_service),
                "refs": (theirs, by_name),
            }
            takes = {
                name: partial(api.measured, server, some, connections, scale.seconds)
                for name, (api, some) in load.items()
            }
            samples = interleaved(scale.runs, takes)
            for form in ("service", "refs"):
                p99, our_p99 = (middle(samples[name], _p99) for name in (form, "ours"))
                yield Row(
                    "feast",
                    f"requests, {entities} x {features}, {connections} connections",
                    "requests/s",
                    samples["ours"],
                    f"feast serve 0.67, by {'service' if form == 'service' else 'feature names'}",
                    samples[form],
                    target,
                    f"theirs: p99 ms {p99:.3g} (ours {our_p99 / p99:.2f} of it), "
                    f"{cpu_note(samples[form], 'request')}; "
                    f"they look up finished values; load by {generator(scale.seconds)}",
                )


def _p99(sample: Sample) -> float:
    return sample.also["p99 ms"]


@contextmanager
def _feast(
    folder: Path, server: Store, definitions: str, scale: Scale
) -> Iterator[tuple[Api, dict[str, list[str]]]]:
    python, values = python_of("feast", *PACKAGES), folder / "values.jsonl"
    services = _write(values, server, definitions, scale)
    to_end([python, str(_SCRIPT), str(folder), f"127.0.0.1:{server.port}", str(values)], _QUIET)
    port, command = free_port(), str(Path(python).with_name("feast"))
    # Workers are not recycled: with the default, each 1,000 requests cost a restart.
    serve = [command, "-c", str(folder), "serve", "-p", str(port), "--no-access-log"]
    serve += ["--max-requests", "0"]
    with serving(serve, port, "/health", _QUIET) as api:
        yield api, services


_QUIET = {"FEAST_USAGE": "False"}


def _write(path: Path, server: Store, definitions: str, scale: Scale) -> dict[str, list[str]]:
    """Write the services and every user's features as they are now."""
    made = load(definitions).services
    services = {name: [s.name for s in made[name].served] for name, *_ in SHAPES}
    users = [{"user_id": data.user_id(number)} for number in range(scale.entities)]
    with Client(definitions, server.url) as client, path.open("w") as file:
        file.write(json.dumps(services) + "\n")
        for at in range(0, len(users), 1000):
            some = users[at : at + 1000]
            for user, vector in zip(some, client.get_many("all", some), strict=True):
                file.write(json.dumps(user | vector) + "\n")
    return services


def _asks(scale: Scale, entities: int, what: dict[str, object]) -> Asks:
    bodies = []
    for asked in lookups(scale, "ten", entities).bodies:
        users = [entity["user_id"] for entity in json.loads(asked)["entities"]]
        bodies.append(json.dumps({**what, "entities": {"user_id": users}}).encode())
    return Asks("/get-online-features", bodies)


def _compare(path: Path, theirs: Api) -> None:
    """Raise unless it answers with the values that it was given."""
    services, *rows = [json.loads(line) for line in path.read_text().splitlines()[: _COMPARED + 1]]
    names: Sequence[str] = services["hundred"]
    asked = {"feature_service": "hundred", "entities": {"user_id": [r["user_id"] for r in rows]}}
    answer = theirs.ask("/get-online-features", json.dumps(asked).encode())
    columns = dict(zip(answer["metadata"]["feature_names"], answer["results"], strict=True))
    mine = {row["user_id"]: [row[name] for name in names] for row in rows}
    found = {
        row["user_id"]: [_value(columns[name]["values"][place]) for name in names]
        for place, row in enumerate(rows)
    }
    agree(mine, found, "feast serve")


def _value(value: float | str | None) -> float | None:
    """Return a value; Feast writes nulls of a column of numbers as NaN."""
    return None if value is None or value != value else float(value)  # noqa: PLR0124 - NaN


if __name__ == "__main__":
    alone("feast")
