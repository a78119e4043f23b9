"""How the C library gives memory to the threads of a worker."""

from __future__ import annotations

import ctypes

M_ARENA_MAX = -8
"""``mallopt(3)``; the number is that of glibc's ``malloc.h``."""


def one_arena() -> bool:
    """Have all threads take memory from one arena, those of processes forked later too.

    By default glibc makes up to eight arenas a core, and memory that a thread gave back is used
    again by threads of its arena alone: each keeps what its largest request took. Python's threads
    take turns anyway. False: the C library is another, which is left as it is.
    """
    try:
        return bool(ctypes.CDLL(None).mallopt(M_ARENA_MAX, 1))
    except (AttributeError, OSError):
        return False
