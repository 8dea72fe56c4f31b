"""The keys in Redis; the one place that builds them.

=============================  ======  ==========================================================
key                            type    what
=============================  ======  ==========================================================
``<unit>:<entity key>``        string  the row of one entity: frames
``<unit>!progress``            hash    "<stream>/<partition>" -> last offset the unit holds
``<unit>!fence``               hash    "<stream>/<partition>" -> mark of the flow that writes
``{fs:<stream>}!events``       stream  events sent over HTTP, field ``event``
``{fs:<stream>}!dead``         stream  dead letters
``{fs:<stream>}!replayed``     stream  where dead letters came from that were taken to be replayed
``{fs:<stream>}!replay:<n>``   stream  the dead letters of replay n, until it is done
``{fs:<stream>}!replays``      hash    replay not yet done -> the views it counts in
``{fs:<stream>}!counts``       hash    events read, applied, rejected by reason, duplicate
``{fs:<stream>}!judged``       hash    partition -> the clock when its last events were judged
``{fs:<stream>}!watermarks``   hash    "<view>@<version>/<partition>" -> where to resume
``fs:<stream>!id<id>``         string  the claim of an event id: the place of the event that has it
``{fs}!store``                 string  the store's id, made up at first use
``{fs}!audit``                 stream  what was erased, when
=============================  ======  ==========================================================

A unit of commit is a shard of a view, ``{fs:<view>@<version>:<shard>}``, or a stream's ledger of
dead letters and counts, ``{fs:<stream>}``.

What stands in braces decides the slot in a Redis Cluster: all that must change together shares it.
Row keys end in the entity's key as it is (`aggregation.entity_keys`), so any bytes may follow.
"""

from collections.abc import Sequence
from zlib import crc32

import numpy as np

from featurestore.aggregation.arrays import Ints
from featurestore.definitions.view import FeatureView

NAMESPACE = "fs"
STORE_KEY = b"{fs}!store"
AUDIT_KEY = b"{fs}!audit"


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


def shards_of(entity_keys: Sequence[bytes], shards: int) -> Ints:
    """Return the shard that holds each entity; stable over releases and machines.

    >>> shards_of([b"u1"], 8)
    array([6])
    """
    return np.fromiter(map(crc32, entity_keys), dtype=np.int64, count=len(entity_keys)) % shards


def row_key(tags: Sequence[bytes], entity_key: bytes) -> bytes:
    """Return the key of an entity's row, given the tags of all shards of its view.

    >>> row_key([b"{fs:spend@1a2b3c4d:0}"], b"u1")
    b'{fs:spend@1a2b3c4d:0}:u1'
    """
    return tags[crc32(entity_key) % len(tags)] + b":" + entity_key


def row_keys(tags: Sequence[bytes], entity_keys: Sequence[bytes]) -> list[bytes]:
    """Return the keys of many entities' rows; each is what `row_key` says.

    >>> row_keys([b"{fs:spend@1a2b3c4d:0}"], [b"u1", b"u2"])
    [b'{fs:spend@1a2b3c4d:0}:u1', b'{fs:spend@1a2b3c4d:0}:u2']
    """
    starts, count = [tag + b":" for tag in tags], len(tags)
    return [starts[crc32(key) % count] + key for key in entity_keys]


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


def replayed_key(stream: str) -> bytes:
    """Return the Redis Stream of the places of dead letters that were taken to be replayed."""
    return stream_tag(stream) + b"!replayed"


def replay_key(stream: str, number: int) -> bytes:
    """Return the Redis Stream of the dead letters in one replay."""
    return stream_tag(stream) + b"!replay:%d" % number


def replays_key(stream: str) -> bytes:
    """Return the hash of the replays that are not yet done."""
    return stream_tag(stream) + b"!replays"


def judged_key(stream: str) -> bytes:
    """Return the hash that says by which clock the last events of each partition were judged."""
    return stream_tag(stream) + b"!judged"


def claim_prefix(stream: str) -> bytes:
    """Return what the claims of a stream's event ids start with; in a cluster they spread."""
    return f"{NAMESPACE}:{stream}!id".encode()


def counts_key(stream: str) -> bytes:
    """Return the hash of a stream's counts."""
    return stream_tag(stream) + b"!counts"


def watermarks_key(stream: str) -> bytes:
    """Return the hash that says where each view resumes each partition."""
    return stream_tag(stream) + b"!watermarks"


def view_name(view: FeatureView) -> str:
    """Return a version of a view, as in ``spend@1a2b3c4d``."""
    return f"{view.name}@{view.version}"


def watermark_field(view: FeatureView, partition: str) -> bytes:
    """Return the name of a view's watermark of a partition."""
    return f"{view_name(view)}/{partition}".encode()
