"""The events every benchmark reads: payments of some users, about 150 bytes each as JSON."""

import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt
import orjson
import pyarrow as pa
import pyarrow.parquet as pq

SPAN_US = 3_600_000_000
EXPONENT = 1.1


def users(skew: str, events: int, entities: int, rng: np.random.Generator) -> npt.NDArray[np.int64]:
    """Draw users, ``uniform`` or ``zipf``."""
    if skew == "uniform":
        return rng.integers(0, entities, events)
    weights = 1 / np.arange(1, entities + 1) ** EXPONENT
    drawn: npt.NDArray[np.int64] = rng.choice(entities, events, p=weights / weights.sum())
    return drawn


def payments(skew: str, events: int, entities: int, span_us: int = SPAN_US) -> pa.Table:
    """Make payments of the time until now, in order of time."""
    rng = np.random.default_rng(7)
    return of_users(users(skew, events, entities, rng), span_us)


def of_users(drawn: npt.NDArray[np.int64], span_us: int = SPAN_US) -> pa.Table:
    """Make a payment of each of these users, in order of time."""
    rng, events = np.random.default_rng(8), len(drawn)
    start = time.time_ns() // 1000 - span_us
    at = start + np.sort(rng.integers(0, span_us, events))
    return pa.table(
        {
            "event_id": [f"e{number:08d}" for number in range(events)],
            "user_id": [user_id(number) for number in drawn.tolist()],
            "merchant_id": [f"m{number % 997:04d}" for number in range(events)],
            "amount": pa.array(np.round(rng.gamma(2, 20, events), 2)),
            "channel": pa.array(rng.choice(["web", "app", "pos"], events)),
            "at": pa.array(at, pa.timestamp("us", "UTC")),
        }
    )


def user_id(number: int) -> str:
    """Return the key of a user."""
    return f"user{number:08d}"


def instants(table: pa.Table) -> list[int]:
    """Return the times of payments in µs."""
    return [int(at) for at in table["at"].cast(pa.int64()).to_numpy()]


def write_parquet(table: pa.Table, path: Path) -> Path:
    """Write payments as Parquet."""
    pq.write_table(table, path, row_group_size=100_000)
    return path


def write_lines(table: pa.Table, path: Path) -> Path:
    """Write payments as JSON lines."""
    with path.open("wb") as file:
        file.writelines(document + b"\n" for document in documents(table))
    return path


def documents(table: pa.Table) -> Iterator[bytes]:
    """Yield payments as JSON."""
    for batch in table.to_batches(10_000):
        yield from map(orjson.dumps, batch.to_pylist())
