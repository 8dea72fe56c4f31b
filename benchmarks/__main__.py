"""All claims, or some: ``python -m benchmarks [CLAIM…] [--quick] [--peers] …``.

Everything runs on this machine: flow, server, API, peers and load share its cores.
"""

import argparse
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import fields, replace
from importlib import import_module
from pathlib import Path

from benchmarks.harness.claim import Row
from benchmarks.harness.report import RESULTS, show, write
from benchmarks.harness.scale import QUICK, Scale

# In the order of the table; each is a module here, with a function `rows`.
CLAIMS = [
    "parquet",
    "jsonl",
    "streams",
    "limit",
    "windowing",
    "growth",
    "freshness",
    "memory",
    "distinct_sketches",
    "serving",
    "tail",
    "arrow",
    "in_process",
    "serving_growth",
]
PEERS = ["feast", "engines"]
_OPTIONS = ("events", "entities", "few_events", "runs", "seconds")


def measure(claims: Sequence[str], scale: Scale) -> Iterator[Row]:
    """Measure claims one after the other."""
    for claim in claims:
        started = time.perf_counter()
        yield from import_module(f"benchmarks.{claim}").rows(scale)
        took = time.perf_counter() - started
        sys.stderr.write(f"{claim}: {took:.0f} s\n")


def parsed(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("claims", nargs="*", metavar="CLAIM", help=", ".join(CLAIMS + PEERS))
    parser.add_argument("--quick", action="store_true", help="a smoke: figures mean nothing")
    parser.add_argument(
        "--peers", action="store_true", help=f"also {', '.join(PEERS)}: installed on first use"
    )
    parser.add_argument("--results", type=Path, help="where to write (with --quick: nowhere)")
    for option in fields(Scale):
        if option.name in _OPTIONS:
            kind = float if option.name == "seconds" else int
            flag = "--" + option.name.replace("_", "-")
            parser.add_argument(flag, type=kind, metavar="N", help=f"default {option.default}")
    options = parser.parse_args(arguments)
    for claim in options.claims:
        if claim not in CLAIMS + PEERS:
            parser.error(f"there is no claim {claim!r}; there are {', '.join(CLAIMS + PEERS)}")
    return options


def scale_of(options: argparse.Namespace) -> Scale:
    """Return the scale that the options ask for."""
    given = {name: getattr(options, name) for name in _OPTIONS}
    chosen = {name: value for name, value in given.items() if value is not None}
    return replace(QUICK if options.quick else Scale(), peers=options.peers, **chosen)


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, print one table, keep the figures."""
    options = parsed(arguments)
    claims = options.claims or (CLAIMS + PEERS if options.peers else CLAIMS)
    rows = list(measure(claims, scale_of(options)))
    show(rows)
    folder = options.results or (None if options.quick else RESULTS)
    if folder is not None:
        write(rows, folder)


if __name__ == "__main__":
    main()
