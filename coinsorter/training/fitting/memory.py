"""Memory that is freed stays with the process, for the next step of a training.

Each step of a training asks for the same large arrays and frees them. glibc gives such memory back
to the system at once and asks for it again, page by page: that took 43 % of the time of a step of
MobileNet (64 crops of 64 px, one thread, x86-64).
"""

import ctypes
import sys

# Names of glibc's <malloc.h>, and what is set.
_TRIM_THRESHOLD = -1
_MMAP_MAX = -4
#: Bytes that may lie free before any are given back; the greatest that mallopt takes.
_KEPT_BYTES = 2**31 - 1
#: Arrays that are not taken from the heap: with none, all freed memory can be kept.
_MAPPED_ARRAYS = 0


def keep_freed_memory() -> None:
    """Keeps freed memory in this process from now on; does nothing where C has no mallopt."""
    if sys.platform != "linux":
        return
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is None:  # musl
        return
    mallopt(_TRIM_THRESHOLD, _KEPT_BYTES)
    mallopt(_MMAP_MAX, _MAPPED_ARRAYS)
