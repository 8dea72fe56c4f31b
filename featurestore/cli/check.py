"""``featurestore check``: whether definitions are right, and what they define."""

import json
from datetime import timedelta

import click
from rich.console import Console
from rich.markup import escape
from rich.tree import Tree

from featurestore.cli.measure_text import kind_text, measure_text
from featurestore.cli.options import definitions
from featurestore.definitions.catalog import Catalog, load
from featurestore.definitions.enrichment import Enrichment
from featurestore.definitions.latest import Latest
from featurestore.definitions.on_demand import NOW, OnDemand
from featurestore.definitions.service import FeatureService
from featurestore.definitions.stream import Stream
from featurestore.definitions.view import FeatureView
from featurestore.instants import duration_text, duration_us
from featurestore.serving.plan import Plan

_PIPED_WIDTH = 10_000  # what is read by a program is not wrapped


@click.command()
@definitions
def check(definitions: str) -> None:
    """Validate the definitions in DEFS, and print what they define.

    Prints all problems at once and exits with 1 where there are any. Opens no store and reads no
    event.

    \b
    Example:
      featurestore check features.py
    """  # noqa: D301 - click's mark for a paragraph to leave as it is
    catalog = load(definitions)
    console = Console(highlight=False)
    if not console.is_terminal:
        console.width = _PIPED_WIDTH
    for stream in catalog.streams.values():
        views = [view for view in catalog.views.values() if view.stream.name == stream.name]
        console.print(_stream(stream, views))
    for service in catalog.services.values():
        console.print(_service(service))
    click.echo(_summary(catalog))


def _stream(stream: Stream, views: list[FeatureView]) -> Tree:
    """Draw a stream with its columns and its views, and a line per measure."""
    facts = [f"event time {stream.event_time}"]
    facts += [f"id {stream.event_id}"] if stream.event_id else []
    facts += [f"each id once in {_duration(stream.dedupe)}"] if stream.dedupe else []
    facts += [f"undone by {stream.reverses}"] if stream.reverses is not None else []
    facts += [f"where {stream.where}"] if stream.where is not None else []
    tree = Tree(f"stream [bold]{escape(stream.name)}[/]  {escape(', '.join(facts))}")
    columns = (
        f"{c.name} {c.type_text}{'?' if c.nullable else ''}" for c in stream.columns.values()
    )
    tree.add(escape("columns " + ", ".join(columns)))
    for made in stream.enrich:
        tree.add(escape(f"enrich {made.name} = {_looked_up(made)}"))
    for view in views:
        branch = tree.add(f"view [bold]{escape(view.name)}[/]  {escape(_windows(view))}")
        for name, measure in view.features.items():
            output = next(f for f in view.outputs if f.measure_name == name)
            branch.add(escape(f"{name} = {measure_text(measure)}  {kind_text(output)}"))
    return tree


def _looked_up(made: Enrichment) -> str:
    """Say what events are looked up in, and by what.

    >>> from featurestore import Reference
    >>> merchants = Reference("m", source="m.csv", key="id", columns={"risk": float})
    >>> _looked_up(merchants.on("seller"))
    "reference 'm' by seller"
    """
    of = made.table
    if not isinstance(of, Latest):
        return f"{of.title} by {made.key}"
    where = f", where {of.where}" if of.where is not None else ""
    age = f", at most {duration_text(of.max_age_us)} old" if of.max_age_us else ""
    return f"newest event of stream {of.stream.name!r} by {made.key}{where}{age}"


def _windows(view: FeatureView) -> str:
    windows = ", ".join(window.name for window in view.parsed_windows)
    offset = view.parsed_windows[0].offset_us
    until = f", up to {duration_text(offset)} ago" if offset else ""
    where = f", where {view.where}" if view.where is not None else ""
    age = f", at most {duration_text(view.max_age_us)} old" if view.max_age_us else ""
    clock = ", by event clock" if view.clock == "event" else ""
    keys = ", ".join(view.entity.keys)
    return f"by {keys} over {windows}{until}{where}{age}{clock}; {view.row_size}"


def _duration(written: str | timedelta) -> str:
    return duration_text(duration_us(written))


def _service(service: FeatureService) -> Tree:
    plan = Plan(service)
    keys = ", ".join(f"{key} {kind}" for key, kind in service.keys.items())
    tree = Tree(f"service [bold]{escape(service.name)}[/]  by {escape(keys)}")
    for view in service.views:
        names = [served.name for served in service.served if served.view is view]
        tree.add(escape(f"{view.name}: {', '.join(names) or 'only for on-demand features'}"))
    for function in service.on_demand:
        tree.add(escape(_on_demand(function)))
    fills = zip(plan.features, plan.shape.written_fills, strict=True)
    if defaults := [f"{name} {json.dumps(fill)}" for name, fill in fills if fill is not None]:
        tree.add(escape(f"defaults {', '.join(defaults)}"))
    return tree


def _on_demand(function: OnDemand) -> str:
    """Write a function as what it gives of what."""
    gives = ", ".join(f"{name} {of.type_text}" for name, of in function.promised.items())
    takes = [served.name for served in function.needs]
    takes += [f"{name} {declared}" for name, declared in function.declared.items()]
    return f"on demand: {gives} = {function.name}({', '.join([*takes, NOW])})"


def _summary(catalog: Catalog) -> str:
    """Count what there is.

    >>> _summary(Catalog({}, {}, {}, {}))
    'good: 0 streams, 0 views, 0 features, 0 services'
    """
    features = sum(len(view.outputs) for view in catalog.views.values())
    counts = {
        "stream": len(catalog.streams),
        "view": len(catalog.views),
        "feature": features,
        "service": len(catalog.services),
    }
    return "good: " + ", ".join(f"{n} {what}{'' if n == 1 else 's'}" for what, n in counts.items())
