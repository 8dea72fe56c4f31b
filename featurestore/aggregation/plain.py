"""Plain rows: nothing packed, no narrow events; what all readers in Python read."""

from featurestore.aggregation import compiled
from featurestore.aggregation.layout import Layout
from featurestore.aggregation.narrow import widened
from featurestore.aggregation.packing import unpacked


def plain(layout: Layout, row: bytes) -> bytes:
    """Return a row as frames of which none is packed and all events are wide.

    Raises:
        ValueError: The row is damaged where it had to be changed; other damage stays as it is.

    Cost: 1 µs and some ns per word; without a compiler as `unpacked` and `widened`.
    """
    if compiled.CUTTING is not None:
        made: bytes | None = compiled.CUTTING.plain(row, layout.floats)
        if made is not None:
            return made
    frames, since = unpacked(row)
    return frames + (widened(since, layout.floats) if layout.floats else since)
