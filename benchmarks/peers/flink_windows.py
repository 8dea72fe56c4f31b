"""The same windows in PyFlink: ``flink_windows.py FOLDER HOST PORT KIND``.

What it computes: windows of every user in Flink SQL, ``TUMBLE`` and ``HOP``: one streaming job
over a bounded source, on all cores, without checkpoints. A window is written once, when it closes.
Reading and windows run in the JVM; only the writing is Python, a vectorised function that gets
batches of columns and sets them with MSET.
"""

import os
import sys
from collections.abc import Sequence
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

# Files are read side by side and in any order: an event is late only after all of them.
_EVENTS = """
CREATE TABLE events (
    user_id STRING, amount DOUBLE, at_us BIGINT, paid_at AS TO_TIMESTAMP_LTZ(at_us / 1000, 3),
    WATERMARK FOR paid_at AS paid_at - INTERVAL '2' DAY
) WITH ('connector' = 'filesystem', 'path' = '{folder}', 'format' = 'json')
"""
_WRITTEN = "CREATE TABLE written (written BIGINT) WITH ('connector' = 'blackhole')"
_WINDOW = """
INSERT INTO written
SELECT write_rows('{name}', user_id, window_end, events, total, squares, smallest, largest)
FROM (
    SELECT user_id, window_end, COUNT(*) AS events, SUM(amount) AS total,
        SUM(amount * amount) AS squares, MIN(amount) AS smallest, MAX(amount) AS largest
    FROM {kind}(TABLE events, DESCRIPTOR(paid_at), {sizes})
    GROUP BY user_id, window_start, window_end
)
"""


class Writer(ScalarFunction):  # type: ignore[misc] # it has no types
    """Writes rows of windows, a batch of columns at a time."""

    def __init__(self, host: str, port: int) -> None:
        self._host, self._port = host, port

    def open(self, function_context: FunctionContext) -> None:  # noqa: ARG002 - their signature
        """Connect."""
        self._client = redis.Redis(self._host, self._port)

    def eval(self, window: str, user: "pd.Series", end: "pd.Series", *state: Any) -> Any:
        """Write windows of one length; return their ends, for want of something to return."""
        end_us = end.astype("datetime64[us]").astype("int64")
        columns = (column.tolist() for column in (user, end_us, *state))
        write(self._client, window, zip(*columns, strict=True))
        return end_us


def window(name: str, kind: str, seconds: Sequence[int]) -> str:
    """Return what computes and writes windows; HOP wants how far they slide, then their length."""
    sizes = ", ".join(f"INTERVAL '{size}' SECOND(5)" for size in seconds)
    return _WINDOW.format(name=name, kind=kind, sizes=sizes)


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
    flink.execute_sql(_EVENTS.format(folder=Path(folder).absolute().as_uri()))
    flink.execute_sql(_WRITTEN)
    job = flink.create_statement_set()
    for name, sizes in WINDOWS.items():
        made = ("HOP", sizes[::-1]) if kind == "sliding" else ("TUMBLE", sizes[:1])
        job.add_insert_sql(window(name, *made))
    job.execute().wait()
    end()


def end() -> None:
    """End the JVM: else it lives on for some seconds, and its CPU is not counted as ours."""
    with suppress(Py4JError):
        get_gateway().jvm.System.exit(0)
    os.wait()


if __name__ == "__main__":
    main(*sys.argv[1:])
