"""How the C library keeps memory that was freed: by default it gives large buffers back at once.

Every message and part of a state is a buffer of up to a mebibyte, freed soon after. Taken from the system anew each
time, page by page, they cost an echo of 2 MB a quarter of its processor time on both sides.
"""

import ctypes
import os
import sys
from functools import cache
from typing import Final

_KEPT_BYTES: Final = 32 * 2**20  # at the end of each heap
_FROM_HEAP_BYTES: Final = 4 * 2**20  # larger buffers are still mapped, and unmapped, one by one
_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3  # of malloc.h
_VARIABLES: Final = ("MALLOC_TRIM_THRESHOLD_", "MALLOC_MMAP_THRESHOLD_", "GLIBC_TUNABLES")


@cache
def keep_freed_memory() -> None:
    """Lets this process keep some memory for its next buffers: glibc only, unless its own variables are set."""
    if sys.platform != "linux" or any(name in os.environ for name in _VARIABLES):
        return
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:  # musl has none
        mallopt(_TRIM_THRESHOLD, _KEPT_BYTES)
        mallopt(_MMAP_THRESHOLD, _FROM_HEAP_BYTES)
