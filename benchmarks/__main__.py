"""All benchmarks: ``python -m benchmarks [--events N] [--runs N] [--seconds S]``.

Everything runs on this machine: the flow, the server, the API and the load share its cores.
"""

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

from rich.console import Console
from rich.table import Table

from benchmarks.data import ENTITIES, payments, write
from benchmarks.load import free_port, measure, post
from benchmarks.store import Store, process, store

DEFINITIONS = str(Path(__file__).parent / "definitions.py")
RESULTS = Path(__file__).parent / "results"


def append_limit(server: Store, rows: int) -> float:
    """Rows per second the server itself takes: pipelined APPENDs of a small frame, packed once."""
    from featurestore.storage.commands import pack  # noqa: PLC0415 - only this one needs it
    from featurestore.storage.wire import Wire  # noqa: PLC0415

    wire, frame = Wire(server.url), b"x" * 24
    commands = [pack(b"APPEND", b"limit:%d" % (n % ENTITIES), frame) for n in range(rows)]
    started = time.perf_counter()
    for at in range(0, rows, 10_000):
        wire.send(commands[at : at + 10_000])
        for _ in commands[at : at + 10_000]:
            wire.read()
    return rows / (time.perf_counter() - started)


def start_up(server: Store) -> float:
    """Seconds a run over an empty file takes: imports, definitions, connections."""
    with tempfile.NamedTemporaryFile(suffix=".jsonl") as empty:
        return run(server, empty.name)


def run(server: Store, source: str) -> float:
    """Seconds of one run over a file into the server."""
    command = [sys.executable, "-m", "featurestore", "run", DEFINITIONS, "--until-end"]
    started = time.perf_counter()
    subprocess.run(
        [*command, "--source", f"payments={source}", "--redis", server.url],
        check=True,
        stdout=subprocess.DEVNULL,
    )
    return time.perf_counter() - started


def ingest(table: Table, events: int, runs: int) -> dict[str, float]:
    """Events per second from files, and what a row costs in memory."""
    figures: dict[str, float] = {}
    with tempfile.TemporaryDirectory() as folder:
        for skew in ("zipf", "uniform"):
            for source in write(payments(skew, events), Path(folder), skew):
                rates = []
                for _ in range(runs):
                    with store() as server:
                        limit, empty = append_limit(server, 200_000), start_up(server)
                        server.client.flushall()
                        rates.append(events / (run(server, str(source)) - empty))
                        memory, keys = server.memory_per_key(), server.client.dbsize()
                name = f"{source.suffix[1:]}, {skew}"
                figures[name] = statistics.median(rates)
                table.add_row(
                    f"events/s from {name}", f"{figures[name]:,.0f}", f"{limit:,.0f} APPEND/s"
                )
            figures[f"bytes per entity, {skew}"] = memory
            table.add_row(
                f"bytes per entity, {skew}",
                f"{memory:.0f}",
                f"{events / keys:.1f} events per entity",
            )
    return figures


def serving(table: Table, events: int, runs: int, seconds: float) -> dict[str, float]:
    """Requests per second and their times, for one entity of ten features."""
    figures: dict[str, float] = {}
    with tempfile.TemporaryDirectory() as folder, store() as server:
        source, _ = write(payments("uniform", events), Path(folder), "uniform")
        run(server, str(source))
        port = free_port()
        requests = [
            post(
                "/v1/features/ten", json.dumps({"entities": [{"user_id": f"user{u:06d}"}]}).encode()
            )
            for u in range(1000)
        ]
        with process("serve", DEFINITIONS, "--port", str(port), "--redis", server.url):
            wait_until_ready(port)
            for connections in (1, 64):
                measured = [measure(port, requests, connections, seconds) for _ in range(runs)]
                rate, p50, p99 = (
                    statistics.median(column) for column in zip(*measured, strict=True)
                )
                figures[f"requests/s, {connections}"] = rate
                table.add_row(
                    f"requests/s, 1 entity x 10 features, {connections} connections",
                    f"{rate:,.0f}",
                    f"p50 {p50:.2f} ms, p99 {p99:.2f} ms",
                )
    return figures


def wait_until_ready(port: int) -> None:
    """Return once the API answers."""
    for _ in range(200):
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz") as answer:
                if answer.status == 200:
                    return
        except OSError:
            time.sleep(0.05)
    msg = "the API did not become ready within 10 s"
    raise RuntimeError(msg)


def main() -> None:
    """Run all, print one table, keep the figures."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--events", type=int, default=1_000_000)
    parser.add_argument("--runs", type=int, default=3, help="the median of so many is printed")
    parser.add_argument("--seconds", type=float, default=5.0, help="of load per figure")
    options = parser.parse_args()
    table = Table("claim", "median", "beside it")
    figures = ingest(table, options.events, options.runs)
    figures |= serving(table, options.events, options.runs, options.seconds)
    Console(width=110).print(table)
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / "figures.json").write_text(json.dumps(figures, indent=2) + "\n")


if __name__ == "__main__":
    main()
