"""Memory: what a flow frees it asks for again at once, for the next block's arrays.

The allocator gives large arrays back to the system when they are freed, and the system hands out
each page anew, filled with zeros: a tenth of a flow's time and more. Here they are kept, a bounded
amount of them; and arrays of Arrow and of numpy take them from each other.
"""

import ctypes

import pyarrow as pa

_LARGEST, _KEPT = 32 << 20, 256 << 20  # bytes
_MMAP_THRESHOLD, _TRIM_THRESHOLD = -3, -1  # as in <malloc.h> of the GNU C library


def keep_freed() -> None:
    """Keep what this process frees: arrays of up to 32 MB each, 256 MB of them.

    Only the GNU C library is told so; with any other this changes which one Arrow uses, no more.
    """
    pa.set_memory_pool(pa.system_memory_pool())
    tune = getattr(ctypes.CDLL(None), "mallopt", None)
    if tune is not None:
        tune(_MMAP_THRESHOLD, _LARGEST)
        tune(_TRIM_THRESHOLD, _KEPT)
