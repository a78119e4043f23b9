"""How often a caller may ask, counted for all processes of the service together."""

from __future__ import annotations

import hashlib
import math
import mmap
import time
from collections.abc import Callable
from itertools import chain

from daybreak.errors import TooManyRequests

PLACES = 4096
"""Callers that are told apart; only who was authenticated is counted."""
BURST_SECONDS = 1.0
"""Who has not asked for this long may ask for as much at once."""


class Rates:
    """The generic cell rate algorithm (ITU-T I.371): of each caller only the moment is kept at
    which all that it asked for would have come at an even pace.

    Made before the first fork, it is shared. Two processes that look at the same moment may let one
    request more pass. ``rate``: requests a second; 0 is any number.
    """

    def __init__(self, rate: float, *, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._rate = rate
        self._monotonic = monotonic  # one clock for all processes of a machine
        memory = memoryview(mmap.mmap(-1, 16 * PLACES))
        self._callers = memory[: 8 * PLACES].cast("Q")
        self._due = memory[8 * PLACES :].cast("d")

    def take(self, caller: str) -> None:
        """Count one request. Raises ``TooManyRequests``."""
        if not self._rate:
            return
        now, place = self._monotonic(), self._place(caller)
        due = max(self._due[place], now)
        early = due + 1 / self._rate - now - max(BURST_SECONDS, 1 / self._rate)
        if early > 1e-9:
            raise TooManyRequests(
                f"This caller may ask {self._rate:g} times a second.",
                remedy="Try again after the seconds that Retry-After says, and ask for less.",
                limit=self._rate,
                retry_after=math.ceil(early),
            )
        self._due[place] = due + 1 / self._rate

    def _place(self, caller: str) -> int:
        number = int.from_bytes(hashlib.blake2b(caller.encode(), digest_size=8).digest()) or 1
        first = number % PLACES
        for place in chain(range(first, PLACES), range(first)):
            if self._callers[place] == number:
                return place
            if self._callers[place] == 0:
                self._callers[place] = number
                return place
        return first  # more callers than places share some
