"""When a fact counts as known: the one place that sets ``loaded_at`` and ``closed_at``.

First knowledge of a day follows from the data set alone (the end of the day plus its arrival
lag), so that two machines that load the same history get the same clock. What changes a day that
was already closed is known from the moment of the load.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

ALWAYS = datetime(1970, 1, 1, tzinfo=UTC)
"""Master data without a date were known from the beginning."""


@dataclass(frozen=True)
class Knowledge:
    """The data set's clock at the moment ``now`` of a load."""

    now: datetime
    zone: ZoneInfo
    arrival_lag: timedelta
    days: int = 1
    """Days of a period, which is named by the last of them."""

    def ends(self, day: date) -> datetime:
        """The midnight after ``day``, in UTC."""
        return self._midnight(day + timedelta(days=1))

    def first_known(self, day: date) -> datetime:
        """When the facts of ``day`` were first known; never later than now."""
        return min(self.ends(day) + self.arrival_lag, self.now)

    def of_fact(self, day: date, closed: bool) -> datetime:
        """``loaded_at`` of a new fact about ``day``."""
        return self.now if closed else self.first_known(day)

    def of_value(self, day: date, newest: date | None, sealed: datetime | None) -> datetime:
        """``loaded_at`` of a value that holds from ``day`` on.

        ``newest``: the newest closed day, and ``sealed``: when a day was closed last. A value of a
        day up to ``newest`` is known from now on, whether ``day`` itself is closed or not: the
        value holds for later days as well. So is what would have been known by ``sealed``, where
        ``arrival_lag`` was longer then.
        """
        known = self.first_known(day)
        # A load within arrival_lag of midnight closes a day earlier than its values are due.
        closed = newest is not None and day <= newest
        return self.now if closed or (sealed is not None and known <= sealed) else known

    def of_plan(self, day: date, ahead: timedelta, closed: bool) -> datetime:
        """``loaded_at`` of what was known ``ahead`` of the beginning of the period of ``day``."""
        begins = self._midnight(day - timedelta(days=self.days - 1))
        return self.now if closed else min(begins - ahead, self.now)

    def is_over(self, day: date) -> bool:
        """Whether ``day`` has ended, so that it can be closed."""
        return self.ends(day) <= self.now

    def _midnight(self, day: date) -> datetime:
        return datetime.combine(day, time(), self.zone).astimezone(UTC)
