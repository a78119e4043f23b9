"""What waits to be answered: many for a moment, few while more comes than can be answered."""

from __future__ import annotations

from collections import deque
from typing import Generic, TypeVar

T = TypeVar("T")
FEW = 8
"""That wait while more comes than can be answered. What comes at once is read at once: with four,
a burst is refused for whose end nothing is left to do (docs/adr/0018)."""
PROBES = 4
"""That may wait beside the most."""


class Waiting(Generic[T]):
    """First come, first served, of ``most`` at most.

    A burst passes, and all of it is answered. When more comes than can be answered, ``most`` that
    wait are no help: as many are refused, and every answer comes as late as ``most`` others take.
    So once there was no room, ``FEW`` may wait, until the threads have caught up: until they have
    found nothing to do as often as one was refused, ``most`` times at most.

    Who has the turn gets, and says when it looks round; others may put at the same time, and then
    one too many may wait.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._behind = 0
        """How often the threads have yet to find nothing to do."""
        self._there: deque[T] = deque()

    def __len__(self) -> int:
        return len(self._there)

    def put(self, one: T, *, probe: bool = False) -> bool:
        """Let it wait. False where there is no room; a ``probe`` asks whether this process can be
        asked, which is no less so while it is busy."""
        room = min(FEW, self._most) if self._behind else self._most
        if probe:
            room = self._most + PROBES
        if len(self._there) >= room:
            self._behind = min(self._behind + 1, self._most) if self._behind else self._most
            return False
        self._there.append(one)
        return True

    def get(self) -> T | None:
        """The next one, if there is one."""
        if not self._there:
            return None
        one = self._there.popleft()
        if self._behind and not self._there:
            self._behind -= 1
        return one

    def rest(self) -> None:
        """Nothing is being answered, and nothing waits: as if that had been found often."""
        self._behind = max(self._behind - self._most // 4, 0)
