"""The events every ingest benchmark reads: 1 M payments of 100 k users, about 150 bytes as JSON."""

import time
from pathlib import Path

import numpy as np
import orjson
import pyarrow as pa
import pyarrow.parquet as pq

ENTITIES = 100_000
SPAN_US = 3_600_000_000


def users(skew: str, events: int, rng: np.random.Generator) -> np.ndarray:
    """Draw users, ``uniform`` or ``zipf`` with exponent 1.1."""
    if skew == "uniform":
        return rng.integers(0, ENTITIES, events)
    weights = 1 / np.arange(1, ENTITIES + 1) ** 1.1
    return rng.choice(ENTITIES, events, p=weights / weights.sum())


def payments(skew: str, events: int) -> pa.Table:
    """Make payments of the last hour, in order of time."""
    rng = np.random.default_rng(7)
    start = time.time_ns() // 1000 - SPAN_US
    at = start + np.sort(rng.integers(0, SPAN_US, events))
    return pa.table(
        {
            "event_id": [f"e{number:08d}" for number in range(events)],
            "user_id": [f"user{user:06d}" for user in users(skew, events, rng).tolist()],
            "merchant_id": [f"m{number % 997:04d}" for number in range(events)],
            "amount": np.round(rng.gamma(2, 20, events), 2),
            "channel": rng.choice(["web", "app", "pos"], events),
            "at": pa.array(at, pa.timestamp("us", "UTC")),
        }
    )


def write(table: pa.Table, folder: Path, skew: str) -> tuple[Path, Path]:
    """Write payments as Parquet and as JSON lines."""
    parquet, lines = folder / f"{skew}.parquet", folder / f"{skew}.jsonl"
    pq.write_table(table, parquet, row_group_size=100_000)
    with lines.open("wb") as file:
        for batch in table.to_batches(10_000):
            file.writelines(orjson.dumps(row) + b"\n" for row in batch.to_pylist())
    return parquet, lines
