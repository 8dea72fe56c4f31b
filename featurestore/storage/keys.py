"""The keys in Redis; the one place that builds them.

=============================  ======  ==========================================================
key                            type    what
=============================  ======  ==========================================================
``<unit>:<entity key>``        string  the row of one entity: frames
``<unit>!progress``            hash    "<stream>/<partition>" -> last offset the unit holds
``<unit>!fence``               hash    "<stream>/<partition>" -> generation of the flow that writes
``{fs:<stream>}!events``       stream  events sent over HTTP, field ``event``
``{fs:<stream>}!dead``         stream  dead letters
``{fs:<stream>}!counts``       hash    events read, applied, rejected by reason
``{fs:<stream>}!watermarks``   hash    "<view>@<version>/<partition>" -> where to resume
=============================  ======  ==========================================================

A unit of commit is a shard of a view, ``{fs:<view>@<version>:<shard>}``, or a stream's ledger of
dead letters and counts, ``{fs:<stream>}``.

What stands in braces decides the slot in a Redis Cluster: all that must change together shares it.
Row keys end in the entity's key as it is (`aggregation.entity_keys`), so any bytes may follow.
"""

from collections.abc import Sequence
from zlib import crc32

from featurestore.definitions.view import FeatureView

NAMESPACE = "fs"


def view_tag(view: FeatureView, shard: int) -> bytes:
    """Return the hash tag of a shard of a view.

    >>> class View:
    ...     name, version = "spend", "1a2b3c4d"
    >>> view_tag(View, 3)
    b'{fs:spend@1a2b3c4d:3}'
    """
    return f"{{{NAMESPACE}:{view.name}@{view.version}:{shard}}}".encode()


def stream_tag(stream: str) -> bytes:
    """Return the hash tag of a stream.

    >>> stream_tag("payments")
    b'{fs:payments}'
    """
    return f"{{{NAMESPACE}:{stream}}}".encode()


def shard_of(entity_key: bytes, shards: int) -> int:
    """Return the shard that holds an entity; stable over releases and machines.

    >>> shard_of(b"u1", 8)
    6
    """
    return crc32(entity_key) % shards


def row_key(tags: Sequence[bytes], entity_key: bytes) -> bytes:
    """Return the key of an entity's row, given the tags of all shards of its view.

    >>> row_key([b"{fs:spend@1a2b3c4d:0}"], b"u1")
    b'{fs:spend@1a2b3c4d:0}:u1'
    """
    return tags[crc32(entity_key) % len(tags)] + b":" + entity_key


def progress_key(tag: bytes) -> bytes:
    """Return the hash that says up to which offset a unit of commit holds each partition."""
    return tag + b"!progress"


def fence_key(tag: bytes) -> bytes:
    """Return the hash that says which generation of a flow may write each partition."""
    return tag + b"!fence"


def source_field(stream: str, partition: str) -> bytes:
    """Return the name of a source partition."""
    return f"{stream}/{partition}".encode()


def events_key(stream: str) -> bytes:
    """Return the Redis Stream that events sent over HTTP are appended to."""
    return stream_tag(stream) + b"!events"


def dead_key(stream: str) -> bytes:
    """Return the Redis Stream of a stream's dead letters."""
    return stream_tag(stream) + b"!dead"


def counts_key(stream: str) -> bytes:
    """Return the hash of a stream's counts."""
    return stream_tag(stream) + b"!counts"


def watermarks_key(stream: str) -> bytes:
    """Return the hash that says where each view resumes each partition."""
    return stream_tag(stream) + b"!watermarks"


def watermark_field(view: FeatureView, partition: str) -> bytes:
    """Return the name of a view's watermark of a partition."""
    return f"{view.name}@{view.version}/{partition}".encode()
