"""What answers from which moment on, by a clock that all workers share: that of the warehouse."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Generic, NamedTuple, TypeVar

from sqlalchemy import Connection, func, select

from daybreak.errors import DaybreakError
from daybreak.serving.held import raised
from daybreak.serving.turn import pass_on

T = TypeVar("T")

DRIFT = 5e-4
"""Seconds a second by which two clocks may part: as fast as NTP corrects one."""


class Span(NamedTuple):
    """Monotonic seconds of this process: before ``closes`` a moment has surely not come, and from
    ``opens`` on it surely has."""

    closes: float
    opens: float


HOLDS = Span(-math.inf, -math.inf)
"""Of a moment that is past."""


class SharedClock:
    """Bounds on how far the warehouse's clock is ahead of the monotonic one of this process.

    Each look gives a bound as wide as its query took; the narrowest of late holds. Two workers may
    not know the time alike, but neither takes a moment for past before it is.
    """

    def __init__(self, monotonic: Callable[[], float]) -> None:
        self._monotonic = monotonic
        self._least, self._most = -math.inf, math.inf
        self._looked_at = 0.0

    def look(self, conn: Connection) -> datetime:
        """Ask the warehouse for the time."""
        before = self._monotonic()
        there: datetime = conn.execute(select(func.clock_timestamp())).scalar_one()
        after = self._monotonic()
        drifted = DRIFT * (after - self._looked_at)
        least, most = there.timestamp() - after, there.timestamp() - before
        self._least = max(least, self._least - drifted)
        self._most = min(most, self._most + drifted)
        if self._least > self._most:  # one of the clocks was set
            self._least, self._most = least, most
        self._looked_at = after
        return there

    def span(self, moment: datetime) -> Span:
        """When that is here."""
        return Span(moment.timestamp() - self._most, moment.timestamp() - self._least)


@dataclass(frozen=True)
class Step(Generic[T]):
    """What answers from a moment on, or the error that there is instead."""

    since: Span
    outcome: T | DaybreakError


@dataclass(frozen=True)
class Timeline(Generic[T]):
    """Steps by moment. The first holds already; mostly it is the only one."""

    steps: tuple[Step[T], ...]

    def now(self, monotonic: Callable[[], float]) -> T:
        """What answers now. Raises the ``DaybreakError`` that there is instead.

        While it is not certain whether a moment has come, it is waited for, some milliseconds at
        most: then no worker answers from before it once another one has answered from after it.
        """
        outcome = self._outcome(monotonic) if len(self.steps) > 1 else self.steps[0].outcome
        if isinstance(outcome, DaybreakError):
            raise raised(outcome)
        return outcome

    def _outcome(self, monotonic: Callable[[], float]) -> T | DaybreakError:
        for step in reversed(self.steps[1:]):
            if (now := monotonic()) >= step.since.closes:
                if now < step.since.opens:
                    pass_on()
                    time.sleep(step.since.opens - now)
                return step.outcome
        return self.steps[0].outcome
