"""What waits for a thread: many for a moment, few while more comes than can be answered."""

from __future__ import annotations

from queue import SimpleQueue
from typing import Generic, TypeVar

T = TypeVar("T")
FEW = 16
"""That wait while more comes than can be answered. What comes at once is read at once: with four,
36 % of the capacity were answered at 3,660 requests a second, as threads found nothing."""


PROBES = 4
"""That may wait beside the most."""


class Waiting(Generic[T]):
    """First come, first served, of ``most`` at most.

    A burst passes, and all of it is answered. When more comes than can be answered, ``most`` that
    wait are no help: as many are refused, and every answer comes as late as ``most`` others take.
    So once there was no room, ``FEW`` may wait, until the threads have caught up: until they have
    found nothing to do as often as one was refused, ``most`` times at most.

    One thread puts, and says when it looks round; several get.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._behind = 0
        """How often the threads have yet to find nothing to do."""
        self._there: SimpleQueue[T | None] = SimpleQueue()

    def __len__(self) -> int:
        return self._there.qsize()

    def put(self, one: T, *, probe: bool = False) -> bool:
        """Let it wait. False where there is no room; a ``probe`` asks whether this process can be
        asked, which is no less so while it is busy."""
        room = min(FEW, self._most) if self._behind else self._most
        if probe:
            room = self._most + PROBES
        if self._there.qsize() >= room:
            self._behind = min(self._behind + 1, self._most) if self._behind else self._most
            return False
        self._there.put(one)
        return True

    def get(self) -> T | None:
        """Wait for the next one; None is the end."""
        one = self._there.get()
        if self._behind and not self._there.qsize():
            self._behind -= 1
        return one

    def rest(self) -> None:
        """Nothing is being answered, and nothing waits: as if that had been found often."""
        self._behind = max(self._behind - self._most // 4, 0)

    def end(self, threads: int) -> None:
        """Let so many threads end when they come."""
        for _ in range(threads):
            self._there.put(None)
