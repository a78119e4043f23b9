"""What the C library gives to threads, seen from outside by the map of a process."""

from __future__ import annotations

import subprocess
import sys

HOLD = """
import ctypes, sys, threading
from daybreak.serving.server.memory import one_arena

if sys.argv[1] == "one":
    assert one_arena()
malloc = ctypes.CDLL(None).malloc
malloc.argtypes, malloc.restype = [ctypes.c_size_t], ctypes.c_void_p
taken, hold = threading.Barrier(7), threading.Event()

def take():
    for _ in range(50):
        malloc(10_000)
    taken.wait()
    hold.wait()

for _ in range(6):
    threading.Thread(target=take, daemon=True).start()
taken.wait()
print(open("/proc/self/maps").read())
"""
ARENA = 64 << 20
"""Bytes that glibc reserves for one, at a multiple of them."""


def _arenas(how: str) -> int:
    done = subprocess.run(
        [sys.executable, "-c", HOLD, how], capture_output=True, text=True, check=True
    )
    found = 0
    for fields in map(str.split, done.stdout.splitlines()):
        anonymous = len(fields) == 5
        if anonymous and fields[1] == "rw-p":
            start, end = (int(part, 16) for part in fields[0].split("-"))
            found += start % ARENA == 0 and end - start < ARENA
    return found


def test_all_threads_take_memory_from_one_arena() -> None:
    assert _arenas("many") >= 6
    assert _arenas("one") == 0
