"""Work on what waits at once is done by one of the threads that wait, for all of them.

A statement, a commit and a call of the trees cost as much for eight events as for one, nearly. So
one thread works at a time, on everything that has come meanwhile, and the others wait for it. Then
the next one that waits goes on, so that nobody works for others once its own is done.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from copy import copy
from dataclasses import dataclass, field
from threading import Event, Lock
from typing import Generic, TypeVar

from daybreak.errors import DaybreakError, WarehouseUnavailable
from daybreak.serving.turn import pass_on
from daybreak.warehouse.faults import UNAVAILABLE

T = TypeVar("T")
R = TypeVar("R")

PATIENCE = 1.0
"""Seconds that work may have been going on before more is refused at once."""
LONGEST_WAIT = 12.0
"""Seconds that one waits for its own: two statements, each of which may take five."""


@dataclass(eq=False)
class _Waiting(Generic[T, R]):
    item: T
    woken: Event = field(default_factory=Event)
    leads: bool = False
    found: R | None = None
    error: BaseException | None = None


class Together(Generic[T, R]):
    """``work`` is given items, one at least, and gives what each is answered with, in order.

    ``fits``: whether an item can go with those that are chosen. Where the work fails on some
    items, each is done by itself, so that who is at fault is told and the others are not; unless
    it is the warehouse that is away. Safe for many threads.
    """

    def __init__(
        self, work: Callable[[Sequence[T]], Sequence[R]], fits: Callable[[Sequence[T], T], bool]
    ) -> None:
        self._work = work
        self._fits = fits
        self._lock = Lock()
        self._waiting: list[_Waiting[T, R]] = []
        self._since: float | None = None
        """Since when a thread works."""

    def do(self, item: T) -> R:
        """What the item is answered with. Raises what the work raises, and
        ``WarehouseUnavailable`` where it takes long; it may have been done, or not."""
        mine: _Waiting[T, R] = _Waiting(item)
        pass_on()
        with self._lock:
            if self._since is not None and time.monotonic() - self._since > PATIENCE:
                raise _slow()
            self._waiting.append(mine)
            if self._since is None:
                self._lead(mine)
        if not mine.woken.wait(LONGEST_WAIT) and self._gives_up(mine):
            raise _slow()
        if mine.leads:
            self._work_on(self._chosen())
            with self._lock:
                self._since = None
                if self._waiting:
                    self._lead(self._waiting[0])
        if mine.error is not None:
            # A shared one would collect a traceback of each that raises it.
            raise copy(mine.error) if isinstance(mine.error, DaybreakError) else mine.error
        return mine.found  # type: ignore[return-value]  # it is done, so it was found

    def _gives_up(self, one: _Waiting[T, R]) -> bool:
        """Whether one that waited long goes without an answer; not if it was woken just now."""
        with self._lock:
            if one.woken.is_set():
                return False
            if one in self._waiting:
                self._waiting.remove(one)
            return True

    def _lead(self, one: _Waiting[T, R]) -> None:
        """Let the first of those that wait go on; with the lock."""
        self._since = time.monotonic()
        one.leads = True
        one.woken.set()

    def _chosen(self) -> list[_Waiting[T, R]]:
        """The first of those that wait, and those that can go with it."""
        with self._lock:
            some = self._waiting[:1]
            rest: list[_Waiting[T, R]] = []
            for one in self._waiting[1:]:
                fits = self._fits([each.item for each in some], one.item)
                (some if fits else rest).append(one)
            self._waiting = rest
        return some

    def _work_on(self, some: Sequence[_Waiting[T, R]]) -> None:
        try:
            found = self._work([one.item for one in some])
            for one, answer in zip(some, found, strict=True):
                one.found = answer
        except Exception as error:
            if len(some) > 1 and not isinstance(error, WarehouseUnavailable):
                for one in some:
                    self._work_on([one])
                return
            _fail(some, error)
        except BaseException as error:
            _fail(some, error)
        for one in some:
            one.woken.set()


def _fail(some: Sequence[_Waiting[T, R]], error: BaseException) -> None:
    for one in some:
        one.error = error


def _slow() -> WarehouseUnavailable:
    return WarehouseUnavailable("The warehouse takes long to answer.", remedy=UNAVAILABLE)
