"""Testing definitions: feed events, move the clock, read the vector; no server, no flow.

::

    rows, a table, JSON, a file ─► decode ─► judge ─► claim ─► partial ─► rows in memory ─► vector

Every step is the function that the flow and the API run; only the store is a dictionary.
"""

from featurestore.testing.store import Store

__all__ = ["Store"]
