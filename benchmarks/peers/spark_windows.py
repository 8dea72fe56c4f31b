"""The same windows in Spark Structured Streaming: ``spark_windows.py FOLDER HOST PORT KIND``.

What it computes: windows of every user in update mode, local[*], a micro-batch per file of the
folder (`maxFilesPerTrigger`, `availableNow`); each batch writes the windows it changed with MSET
from every partition. One query per window, one after the other.
"""

import os
import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import redis
from pyspark.sql import DataFrame, Row, SparkSession
from pyspark.sql import functions as f
from rows_of_windows import WINDOWS, write


def written(window: str, host: str, port: int) -> Any:
    """Return what writes a batch."""

    def partition(rows: Iterable[Row]) -> None:
        write(redis.Redis(host, port), window, (tuple(row) for row in rows))

    def batch(changed: DataFrame, _: int) -> None:
        changed.foreachPartition(partition)

    return batch


def main(folder: str, host: str, port: str, kind: str) -> None:
    """Run it."""
    os.environ["PYSPARK_PYTHON"] = sys.executable  # else its workers take another Python
    spark = (
        SparkSession.builder.master("local[*]")
        .config("spark.sql.shuffle.partitions", "2")
        .config("spark.ui.enabled", "false")
        .config("spark.sql.session.timeZone", "UTC")
        .getOrCreate()
    )
    spark.sparkContext.setLogLevel("ERROR")
    spark.sparkContext.addPyFile(str(Path(__file__).with_name("rows_of_windows.py")))
    lines = spark.readStream.schema("user_id string, amount double, at_us long")
    events = lines.option("maxFilesPerTrigger", 1).json(folder)
    events = events.withColumn("at", f.timestamp_micros("at_us"))
    for name, (length, every) in WINDOWS.items():
        step = every if kind == "sliding" else length
        window = f.window("at", f"{length} seconds", f"{step} seconds")
        changed = events.groupBy("user_id", window).agg(
            f.count("*"),
            f.sum("amount"),
            f.sum(f.col("amount") * f.col("amount")),
            f.min("amount"),
            f.max("amount"),
        )
        changed = changed.select("user_id", f.unix_micros("window.end"), *changed.columns[2:])
        with tempfile.TemporaryDirectory() as state:
            query = (
                changed.writeStream.outputMode("update")
                .foreachBatch(written(name, host, int(port)))
                .option("checkpointLocation", state)
                .trigger(availableNow=True)
                .start()
            )
            query.awaitTermination()
    end(spark)


def end(spark: SparkSession) -> None:
    """End the JVM: else it lives on for a moment, and its CPU is not counted."""
    gateway: Any = spark.sparkContext._gateway  # noqa: SLF001 - it has no other name
    spark.stop()
    gateway.shutdown()
    gateway.proc.stdin.close()
    gateway.proc.wait()


if __name__ == "__main__":
    main(*sys.argv[1:])
