"""The same windows in PyFlink: ``flink_windows.py FOLDER HOST PORT KIND``.

What it computes: windows of every user in Flink SQL: one streaming job over a bounded source, on
all cores, without checkpoints.

- ``tumbling``: ``GROUP BY`` user and tile. A tile can be read while events arrive: all that
  changed are written anew with each mini-batch of 100,000 events or a second.
- ``closed tumbling``, ``closed sliding``: ``TUMBLE`` and ``HOP``. A window is written once, when it
  closes, and cannot be read before.

Reading and windows run in the JVM; only the writing is Python, a vectorised function that gets
batches of columns and sets them with MSET.
"""

import os
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

import pandas as pd
import redis
from py4j.protocol import Py4JError
from pyflink.java_gateway import get_gateway
from pyflink.table import DataTypes, EnvironmentSettings, TableEnvironment
from pyflink.table.udf import FunctionContext, ScalarFunction, udf
from rows_of_windows import WINDOWS, write

_EVENTS = """
CREATE TABLE events (user_id STRING, amount DOUBLE, at_us BIGINT{time})
WITH ('connector' = 'filesystem', 'path' = '{folder}', 'format' = 'json')
"""
# Files are read side by side and in any order: an event is late only after all of them.
_TIME = """, paid_at AS TO_TIMESTAMP_LTZ(at_us / 1000, 3),
    WATERMARK FOR paid_at AS paid_at - INTERVAL '2' DAY"""
_WRITTEN = "CREATE TABLE written (written BIGINT) WITH ('connector' = 'blackhole')"
_WINDOW = """
INSERT INTO written
SELECT write_rows('{name}', user_id, end_us, events, total, squares, smallest, largest)
FROM (
    SELECT user_id, {end_us} AS end_us, COUNT(*) AS events, SUM(amount) AS total,
        SUM(amount * amount) AS squares, MIN(amount) AS smallest, MAX(amount) AS largest
    FROM {source} GROUP BY user_id, {groups}
)
"""
_MINI_BATCH = {"enabled": "true", "size": "100000", "allow-latency": "1 s"}


class Writer(ScalarFunction):  # type: ignore[misc] # it has no types
    """Writes rows of windows, a batch of columns at a time."""

    def __init__(self, host: str, port: int) -> None:
        self._host, self._port = host, port

    def open(self, function_context: FunctionContext) -> None:  # noqa: ARG002 - their signature
        """Connect."""
        self._client = redis.Redis(self._host, self._port)

    def eval(self, window: str, user: "pd.Series", end_us: "pd.Series", *state: Any) -> Any:
        """Write windows of one length; return their ends, for want of something to return."""
        columns = (column.tolist() for column in (user, end_us, *state))
        write(self._client, window, zip(*columns, strict=True))
        return end_us


def window(name: str, kind: str, length: int, every: int) -> str:
    """Return what computes and writes windows of a length in seconds."""
    if kind == "tumbling":
        length_us = length * 1_000_000
        source = f"(SELECT *, (at_us / {length_us} + 1) * {length_us} AS tile_us FROM events)"
        return _WINDOW.format(name=name, end_us="tile_us", source=source, groups="tile_us")
    made, sizes = ("HOP", (every, length)) if kind == "closed sliding" else ("TUMBLE", (length,))
    intervals = ", ".join(f"INTERVAL '{size}' SECOND(5)" for size in sizes)
    return _WINDOW.format(
        name=name,
        end_us="1000000 * UNIX_TIMESTAMP(CAST(window_end AS STRING))",
        source=f"{made}(TABLE events, DESCRIPTOR(paid_at), {intervals})",
        groups="window_start, window_end",
    )


def main(folder: str, host: str, port: str, kind: str) -> None:
    """Run it."""
    flink = TableEnvironment.create(EnvironmentSettings.in_streaming_mode())
    config = flink.get_config()
    config.set("parallelism.default", str(os.cpu_count()))
    config.set("python.executable", sys.executable)
    config.set("python.fn-execution.arrow.batch.size", "10000")
    config.set("pipeline.object-reuse", "true")
    config.set_local_timezone("UTC")
    flink.add_python_file(str(Path(__file__).with_name("rows_of_windows.py")))
    writer = udf(Writer(host, int(port)), result_type=DataTypes.BIGINT(), func_type="pandas")
    flink.create_temporary_function("write_rows", writer)
    for option, value in _MINI_BATCH.items() if kind == "tumbling" else ():
        config.set(f"table.exec.mini-batch.{option}", value)
    time = "" if kind == "tumbling" else _TIME
    flink.execute_sql(_EVENTS.format(folder=Path(folder).absolute().as_uri(), time=time))
    flink.execute_sql(_WRITTEN)
    job = flink.create_statement_set()
    for name, (length, every) in WINDOWS.items():
        job.add_insert_sql(window(name, kind, length, every))
    job.execute().wait()
    end()


def end() -> None:
    """End the JVM: else it lives on for some seconds, and its CPU is not counted as ours."""
    with suppress(Py4JError):
        get_gateway().jvm.System.exit(0)
    os.wait()


if __name__ == "__main__":
    main(*sys.argv[1:])
