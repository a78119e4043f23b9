"""Whose turn it is: one thread of a process reads and answers at a time, until it has to wait.

Python runs one thread at a time anyway, and a request that goes from a thread that reads to one
that answers waits for both to be woken. So the thread whose turn it is does all of it, request
after request. Before it waits for the warehouse, it passes the turn on for the rest of that
request; from one that takes long without a word, who watches takes it away.
"""

from __future__ import annotations

from threading import Lock, get_ident, local


class Turn:
    """Of the threads of one server."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._lent: dict[int, float] = {}
        """Since when the thread whose turn it is answers. Who takes it out releases the lock."""
        self._taken: dict[int, float] = {}
        """Since when threads answer whose turn was taken away."""

    def take(self) -> None:
        """Wait until it is this thread's turn."""
        self._lock.acquire()

    def leave(self) -> None:
        """Whose turn it is ends it."""
        self._lock.release()

    def lend(self, now: float) -> None:
        """Whose turn it is begins to answer; until `back` the turn can be passed on."""
        self._lent[get_ident()] = now
        _mine.turn = self

    def back(self) -> bool:
        """The answer is there: whether it is still the turn of the thread that made it."""
        _mine.turn = None
        me = get_ident()
        self._taken.pop(me, None)
        return self._lent.pop(me, None) is not None

    def take_away(self, before: float) -> bool:
        """Pass on the turn of a thread that has been answering since ``before``."""
        for thread, since in [*self._lent.items()]:
            if since < before and self.pass_on(thread):
                self._taken[thread] = since
                return True
        return False

    def taken(self, after: float) -> int:
        """How many answers go on whose turn was taken away, that began ``after`` then."""
        return sum(since > after for since in [*self._taken.values()])

    def pass_on(self, thread: int) -> bool:
        """Let another thread go on, if it is the turn of this one and it answers."""
        if self._lent.pop(thread, None) is None:
            return False
        self._lock.release()
        return True


class _Mine(local):
    turn: Turn | None = None


_mine = _Mine()


def pass_on() -> None:
    """Let another thread go on: this one is going to wait. Harmless in any thread."""
    turn, _mine.turn = _mine.turn, None
    if turn is not None:
        turn.pass_on(get_ident())
