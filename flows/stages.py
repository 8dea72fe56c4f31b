"""Stages: which streams are read before which, where one is looked up in another.

A stream that comes from a source with an end is read to it, and committed, before those that are
looked up in it are begun. Of a source without an end nobody can tell when that would be: its stream
is read beside the others.
"""

from collections.abc import Sequence

from featurestore.definitions.catalog import Catalog
from flows.sources.source import Source


def stages(catalog: Catalog, sources: Sequence[Source]) -> list[list[str]]:
    """Return the streams of some sources: what is read together, and what after that.

    Every process must have ended a stage before any begins the next.
    """
    names = list(dict.fromkeys(source.stream for source in sources))
    upstream = {name: catalog.stream(name).upstream for name in names}
    endless = {source.stream for source in sources if not source.bounded}
    awaited = {name for name in names if any(name in of for of in upstream.values())} - endless
    # What a stream comes of has fewer before it than the stream itself.
    levels = {name: len(upstream[name] & awaited) for name in names if name in awaited}
    early = [
        [name for name in names if levels.get(name) == level]
        for level in sorted(set(levels.values()))
    ]
    last = [name for name in names if name not in awaited]
    return [stage for stage in (*early, last) if stage]
