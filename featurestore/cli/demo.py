"""``featurestore demo``: everything at once, on real events, on this machine."""

import json
import re
import shutil
import sys
import tempfile
import time
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from urllib.request import ProxyHandler, Request, build_opener

import click
from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from featurestore.cli.processes import Processes, side_by_side
from featurestore.errors import FeatureStoreError
from featurestore.instants import SECOND, duration_text
from featurestore.storage.embedded import store_url
from featurestore.storage.faults import mapped
from featurestore.storage.keys import counts_key
from featurestore.storage.plain_client import plain_client

EXAMPLE = Path("examples/flights/features.py")
SERVICE = "delay_risk_v1"
ENTITY = {"tailnum": "N228JB", "carrier": "B6", "origin": "JFK", "dest": "BTV"}

_PORT = 8000
_ANSWERS = re.compile(r"answers on (http://\S+)")
_NEARBY = build_opener(ProxyHandler({}))  # no proxy leads to this machine
_TICK_SECONDS = 0.25
_PLAIN_SECONDS = 2.0
_START_SECONDS = 60.0
_REMEMBERED = 400  # look-ups


@click.command()
@click.option("--seconds", type=click.FloatRange(min=1), help="Stop after so long.")
@click.option(
    "--port",
    type=click.IntRange(1, 65535),
    help=f"Where the API listens.  [default: {_PORT}, or a free one if that is taken]",
)
@click.option(
    "--speed-up",
    default=600.0,
    show_default=True,
    type=click.FloatRange(1, 1e6),
    help="How much faster than in 2013 the flights depart.",
)
def demo(*, seconds: float | None, port: int | None, speed_up: float) -> None:
    """Stream real events through a flow into a store, and ask the API about them.

    Starts a server of its own, the flow, the API and a producer that replays departures from New
    York's airports; prints what to try, and what happens. Ctrl-C stops it all. Run it in a
    checkout of the project: the example's data are there.

    \b
    Example:
      featurestore demo --seconds 30
    """  # noqa: D301 - click's mark for a paragraph to leave as it is
    if not EXAMPLE.is_file():
        msg = f"there is no {EXAMPLE} here; run it in a checkout of the project, or make demo there"
        raise FeatureStoreError(msg)
    if find_spec("httpx2") is None:
        msg = "the producer needs httpx2: pip install '.[demo]', or make install"
        raise FeatureStoreError(msg)
    with (
        tempfile.TemporaryDirectory(prefix="featurestore-demo-") as folder,
        store_url(None, Path(folder) / "store") as url,
        side_by_side(Path(folder)) as processes,
    ):
        watch = Watch(url, _start(processes, url, [port] if port else [_PORT, 0], speed_up))
        try:
            _show(processes, watch, time.monotonic() + (seconds or float("inf")), url)
        except KeyboardInterrupt:
            click.echo("stopping")
    if not watch.served:
        msg = "no features were served; give it some more seconds"
        raise FeatureStoreError(msg)
    click.echo(f"served {watch.served} look-ups on {watch.applied} events; all is stopped")


@dataclass
class Watch:
    """What can be seen of a running store from outside.

    Attributes:
        store: The store's URL.
        api: The API's address.
        served: How many look-ups were answered with something known of the entity.
        applied: How many events were applied.
    """

    store: str
    api: str
    served: int = 0
    applied: int = 0
    vector: dict[str, Any] = field(default_factory=dict)
    counts: dict[str, int] = field(default_factory=dict)
    _took_ms: deque[float] = field(default_factory=lambda: deque(maxlen=_REMEMBERED))
    _applied: deque[tuple[float, int]] = field(default_factory=lambda: deque(maxlen=20))

    def ask(self) -> None:
        """Ask the API for the vector of the example's entity."""
        body = json.dumps({"entities": [ENTITY]}).encode()
        request = Request(f"{self.api}/v1/features/{SERVICE}", data=body)  # noqa: S310 - http
        started = time.perf_counter()
        with _NEARBY.open(request, timeout=5) as response:
            answer = json.load(response)
        self._took_ms.append((time.perf_counter() - started) * 1000)
        self.vector = dict(zip(answer["features"], answer["vectors"][0], strict=True))
        self.served += any(self.vector.values())

    def count(self) -> None:
        """Look up the stream's counts in the store."""
        with mapped(self.store), plain_client(self.store) as client:
            found: dict[bytes, bytes] = client.hgetall(counts_key("departures"))
        self.counts = {name.decode(): int(count) for name, count in found.items()}
        self.applied = self.counts.get("applied", 0)
        self._applied.append((time.monotonic(), self.applied))

    @property
    def events_per_second(self) -> float:
        """How many events were applied lately."""
        (since, before), (now, after) = self._applied[0], self._applied[-1]
        return (after - before) / (now - since) if now > since else 0.0

    @property
    def freshness_us(self) -> int | None:
        """How long ago the newest event in the features happened."""
        newest = self.counts.get("newest_us")
        return None if newest is None else max(0, time.time_ns() // 1000 - newest)

    def took_ms(self, share: float) -> float:
        """Within which time that share of the look-ups was answered."""
        times = sorted(self._took_ms) or [0.0]
        return times[min(len(times) - 1, int(len(times) * share))]


def _start(processes: Processes, url: str, ports: Sequence[int], speed_up: float) -> str:
    """Start them all, and return the API's address; the producer sends to no other."""
    state = str(processes.folder / "state")
    flow = ["featurestore", "run", str(EXAMPLE), "--redis", url, "--state", state]
    processes.start("flow", flow)
    api = _start_api(processes, url, ports)
    producer = ["examples.flights.replay", "--api", api, "--speed-up", str(speed_up)]
    processes.start("producer", producer)
    return api


def _start_api(processes: Processes, url: str, ports: Sequence[int]) -> str:
    """Start the API at the first of these ports that it can have; 0 is any that is free."""
    name = "api"
    for port in ports:
        api = ["featurestore", "serve", str(EXAMPLE), "--port", str(port), "--redis", url]
        processes.start(name, api)
        answers = processes.said(name, _ANSWERS, _START_SECONDS)
        if answers is not None:
            return answers[1]
    raise processes.ended(name)


def _show(processes: Processes, watch: Watch, until: float, url: str) -> None:
    """Print what to try, then what happens until it is time to stop."""
    console = Console()
    for line in _to_try(watch.api, url):
        console.print(line, highlight=False, markup=False, soft_wrap=True)
    if not console.is_terminal:
        for number, _ in enumerate(_ticks(processes, watch, until)):
            if number % int(_PLAIN_SECONDS / _TICK_SECONDS) == 0:
                console.print(_in_a_line(watch), soft_wrap=True)
        return
    with Live(console=console, refresh_per_second=4) as live:
        for _ in _ticks(processes, watch, until):
            live.update(_picture(watch))


def _ticks(processes: Processes, watch: Watch, until: float) -> Iterator[None]:
    while time.monotonic() < until:
        processes.check()
        watch.ask()
        watch.count()
        yield
        time.sleep(_TICK_SECONDS)


def _to_try(api: str, url: str) -> list[str]:
    keys = "&".join(f"{key}={value}" for key, value in ENTITY.items())
    words = " ".join(f"{key}={value}" for key, value in ENTITY.items())
    body = json.dumps({"entities": [ENTITY], "include": ["statuses"]})
    command = _command()
    return [
        "Real departures from New York's airports are streaming in. In another terminal, try",
        f"  curl -s '{api}/v1/features/{SERVICE}?{keys}'",
        f"  curl -s {api}/v1/features/{SERVICE} -d '{body}'",
        f"  {command} get {EXAMPLE} {SERVICE} {words} --redis {url}",
        f"  {command} inspect {EXAMPLE} airport_now origin=JFK --redis {url}",
        f"and look at {api}/docs",
        "",
    ]


def _in_a_line(watch: Watch) -> str:
    return (
        f"events {watch.applied} ({watch.events_per_second:.0f}/s), freshness "
        f"{_age(watch.freshness_us)}, look-ups {watch.served} (p50 {watch.took_ms(0.5):.1f} ms), "
        f"JFK: {watch.vector.get('departures_1h')} departures in 1h, "
        f"{watch.vector.get('departures_30m')} in 30m"
    )


def _picture(watch: Watch) -> Group:
    rejected = sum(watch.counts.get(reason, 0) for reason in ("malformed", "invalid", "late"))
    facts = Table.grid(padding=(0, 3))
    facts.add_row("events in", f"{watch.applied:,}", f"{watch.events_per_second:,.0f}/s")
    facts.add_row("rejected", f"{rejected:,}", "")
    facts.add_row("freshness", _age(watch.freshness_us), "since the newest event happened")
    p50, p99 = watch.took_ms(0.5), watch.took_ms(0.99)
    facts.add_row("look-ups", f"{watch.served:,}", f"p50 {p50:.1f} ms, p99 {p99:.1f} ms")
    title = ", ".join(f"{key} {value}" for key, value in ENTITY.items())
    features = Table("feature", "value", title=f"{SERVICE} of {title}", title_justify="left")
    for name, value in watch.vector.items():
        features.add_row(name, f"{value:.2f}" if isinstance(value, float) else str(value))
    return Group(facts, Text(), features)


def _age(age_us: int | None) -> str:
    if age_us is None:
        return "nothing yet"
    if age_us < SECOND:
        return f"{age_us // 1000} ms"
    return duration_text(age_us // SECOND * SECOND)


def _command() -> str:
    """Return what calls ``featurestore`` in another terminal, whose path may not have it."""
    beside = Path(sys.executable).with_name("featurestore")
    if shutil.which("featurestore") or not beside.exists():
        return "featurestore"
    return str(beside.relative_to(Path.cwd()) if beside.is_relative_to(Path.cwd()) else beside)
