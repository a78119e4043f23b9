"""A cached value: refreshed regularly, and kept for a while when its source is down."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable
from copy import copy
from threading import Lock
from typing import Generic, TypeVar

from daybreak.errors import DaybreakError, RegistryUnavailable, WarehouseUnavailable
from daybreak.serving.turn import pass_on

T = TypeVar("T")
_SOURCE_DOWN = (WarehouseUnavailable, RegistryUnavailable)
logger = logging.getLogger(__name__)


class Held(Generic[T]):
    """What ``read`` returned, at most ``refresh`` seconds old.

    - While the value is young it is returned without a lock or a system call.
    - When it is due, one thread reads anew; the others go on with the one they have. The very
      first read is waited for by all.
    - A source that is down leaves the last value in force until it is ``stale`` seconds old.
      After that, and for every other error at once, the error is raised: an altered artifact or
      a withdrawn publication is never hidden.
    - An error is held like a value, so that a dead source is asked once every ``refresh`` seconds
      and not by every request.

    ``read`` gets the last value (or None), of which it may keep what is expensive to make.
    """

    def __init__(
        self,
        read: Callable[[T | None], T],
        *,
        refresh: float,
        stale: float,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._read = read
        self._refresh = refresh
        self._stale = stale
        self._monotonic = monotonic
        self._lock = Lock()
        self._outcome: list[T] | DaybreakError | None = None
        self._value: T | None = None
        self._looked_at = -math.inf
        self._confirmed_at = -math.inf

    def get(self, *, within: float = math.inf) -> T:
        """The value, not older than ``within`` seconds. Raises the ``DaybreakError`` of its source.

        As above, it may be older while another thread reads, or while the source is down.
        """
        oldest = min(self._refresh, within)
        if self._monotonic() - self._looked_at >= oldest:
            self._look(oldest)
        outcome = self._outcome
        if isinstance(outcome, DaybreakError):
            raise copy(outcome)  # a shared instance would collect a traceback per request
        assert outcome is not None, "the first look is waited for"  # noqa: S101 (for the types)
        return outcome[0]

    def _look(self, oldest: float) -> None:
        first = self._outcome is None
        if first:
            pass_on()  # it may be another thread's read that is waited for
        if not self._lock.acquire(blocking=first):
            return
        try:
            now = self._monotonic()
            if now - self._looked_at < oldest:
                return  # another thread looked while this one waited for the lock
            self._outcome = self._ask(now)
            self._looked_at = now
        finally:
            self._lock.release()

    def _ask(self, now: float) -> list[T] | DaybreakError:
        pass_on()
        try:
            self._value = self._read(self._value)
        except _SOURCE_DOWN as error:
            age = now - self._confirmed_at
            if self._value is None or age > self._stale:
                return error
            logger.warning("answering from memory, %.0f s old: %s", age, error.message)
            return [self._value]
        except DaybreakError as error:
            self._value = None
            return error
        self._confirmed_at = now
        return [self._value]
