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
SOURCE_DOWN = (WarehouseUnavailable, RegistryUnavailable)
LONGEST_WAIT = 0.5
"""Seconds that a request waits for what is too old to be trusted; then it is better than none."""
CONNECTING = 10.0
"""Seconds that it waits for what is too old for any use: a connection may take as long."""

logger = logging.getLogger(__name__)


class Held(Generic[T]):
    """What ``read`` returned, at most ``refresh`` seconds old.

    - While the value is young it is returned without a lock or a system call.
    - When it is due, one thread reads anew; the others go on with the one they have. The very
      first read is waited for by all, and any other where the value is older than ``trusted``
      seconds, unless the source takes long to answer.
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
        trusted: float = math.inf,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._read = read
        self._refresh = refresh
        self._stale = stale
        self._trusted = trusted
        self._slow = False
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
            raise raised(outcome)
        assert outcome is not None, "the first look is waited for"  # noqa: S101 (for the types)
        return outcome[0]

    @property
    def age(self) -> float:
        """Seconds since the source confirmed the value last; infinite where it never has."""
        return self._monotonic() - self._confirmed_at

    def refresh(self) -> None:
        """Read anew now, whatever the age of the value; its error is held, not raised."""
        with self._lock:
            self._read_anew()

    def _look(self, oldest: float) -> None:
        patience = self._patience()
        if not self._lock.acquire(timeout=patience):
            self._slow = patience > 0 or self._slow
            if self._forgotten():
                raise WarehouseUnavailable(
                    f"What is in force was confirmed {self.age:.0f} s ago, and the warehouse does "
                    "not answer.",
                    remedy="Try again; `daybreak doctor` says what is wrong with the warehouse.",
                )
            return
        try:
            if self._monotonic() - self._looked_at >= oldest:
                self._read_anew()  # else another thread did while this one waited for the lock
        finally:
            self._lock.release()

    def _patience(self) -> float:
        """Seconds to wait for another thread's read; -1 is without end."""
        if self._outcome is not None and not self._forgotten():
            trusted = self._monotonic() - self._looked_at < self._trusted
            if trusted or self._slow:
                return 0
        pass_on()
        if self._outcome is None:
            return -1
        return LONGEST_WAIT if not self._forgotten() else CONNECTING

    def _forgotten(self) -> bool:
        """Whether the value is too old for any use, as after hours without a request."""
        return self._outcome is not None and self.age > max(self._stale, self._refresh)

    def _read_anew(self) -> None:
        now = self._monotonic()
        self._outcome = self._ask(now)
        # A source that is down may have taken long to say so.
        self._looked_at = now if self._confirmed_at == now else self._monotonic()
        self._slow = False

    def _ask(self, now: float) -> list[T] | DaybreakError:
        pass_on()
        try:
            self._value = self._read(self._value)
        except SOURCE_DOWN as error:
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


def raised(error: DaybreakError) -> DaybreakError:
    """An error that is held, to be raised: a shared one would collect a traceback a request."""
    return copy(error)
