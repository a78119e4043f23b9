"""How many connections each process has, where all of them see it.

Processes accept from one queue, and whoever is quicker takes a connection that then lives for long:
eight clients that keep theirs may all sit on one of two processes. So who has more leaves a new
one to who has fewer.
"""

from __future__ import annotations

import mmap


class Counts:
    """Shared by a process and those it forks. ``places``: one for each."""

    def __init__(self, places: int) -> None:
        self.places = places
        self._memory = memoryview(mmap.mmap(-1, 4 * places)).cast("I")
        self.clear()

    def clear(self, place: int | None = None) -> None:
        """Nobody has this place, or any."""
        for one in range(self.places) if place is None else (place,):
            self._memory[one] = NOBODY

    def __getitem__(self, place: int) -> int:
        return self._memory[place]

    def __setitem__(self, place: int, connections: int) -> None:
        self._memory[place] = connections

    def fewest(self) -> int:
        """Of those that there are."""
        return min(self._memory)


NOBODY = 2**32 - 1


class Balance:
    """One process's share."""

    def __init__(self, counts: Counts, place: int) -> None:
        self._counts = counts
        self._place = place
        counts[place] = 0

    def set(self, connections: int) -> None:
        """Say how many it has."""
        self._counts[self._place] = connections

    def mine(self) -> bool:
        """Whether no other has fewer."""
        return self._counts[self._place] <= self._counts.fewest()
