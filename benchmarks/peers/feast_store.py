"""Feast with its Redis online store: fills it with values that were computed elsewhere.

Run in an environment that has Feast: ``feast_store.py FOLDER REDIS VALUES``. VALUES is JSON lines:
first the services, ``{"ten": ["payments_24h", …]}``, then an object per user. What it computes:
nothing. It stores finished values and looks them up; ours cuts windows when it is asked.
"""

import json
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pandas as pd
from feast import Entity, FeatureService, FeatureStore, FeatureView, Field, FileSource, ValueType
from feast.types import Float64, Int64

_CONFIGURATION = """
project: benchmark
provider: local
registry: registry.db
online_store:
  type: redis
  connection_string: "{redis}"
offline_store:
  type: file
entity_key_serialization_version: 3
"""


def main(folder: Path, redis: str, path: Path) -> None:
    """Apply definitions, write values."""
    services, *rows = [json.loads(line) for line in path.read_text().splitlines()]
    (folder / "feature_store.yaml").write_text(_CONFIGURATION.format(redis=redis))
    frame = pd.DataFrame(rows)
    counts = [name for name in frame.columns if name.startswith("payments")]
    others = [name for name in frame.columns if name not in {*counts, "user_id"}]
    frame = frame.astype({**dict.fromkeys(counts, "int64"), **dict.fromkeys(others, "float64")})
    frame["event_timestamp"] = datetime.now(UTC)
    frame.to_parquet(folder / "values.parquet")
    store = FeatureStore(str(folder))
    user = Entity(name="user", join_keys=["user_id"], value_type=ValueType.STRING)
    view = FeatureView(
        name="spend",
        entities=[user],
        ttl=timedelta(days=1),
        schema=[Field(name=n, dtype=Int64 if n in counts else Float64) for n in counts + others],
        source=FileSource(path=str(folder / "values.parquet"), timestamp_field="event_timestamp"),
    )
    made = [FeatureService(name=name, features=[view[names]]) for name, names in services.items()]
    store.apply([user, view, *made])
    for at in range(0, len(frame), 1000):
        store.write_to_online_store("spend", frame.iloc[at : at + 1000])


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], Path(sys.argv[3]))
