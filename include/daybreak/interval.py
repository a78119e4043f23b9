"""On which business dates a model is scored: on all, on those of one weekday, or as data land."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from typing import Literal, get_args

Weekday = Literal["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"]
WEEKDAYS: tuple[Weekday, ...] = get_args(Weekday)
WRITTEN = "an interval is written as daily, on_data, or weekly: with a weekday, as weekly:sunday"


@dataclass(frozen=True)
class Interval:
    """``weekday``: the only one that is scored, 0 is Monday; None: every business date is.

    ``on_data``: a business date is scored as soon as it is closed, whatever the clock says.
    """

    weekday: int | None = None
    on_data: bool = False

    @classmethod
    def parse(cls, text: str) -> Interval:
        """``daily``, ``weekly:sunday`` or ``on_data``. Raises ``ValueError``."""
        if text in {"daily", "on_data"}:
            return cls(on_data=text == "on_data")
        kind, _, weekday = text.partition(":")
        if kind != "weekly" or weekday not in WEEKDAYS:
            raise ValueError(WRITTEN)
        return cls(WEEKDAYS.index(weekday))

    def __str__(self) -> str:
        if self.weekday is not None:
            return f"weekly:{WEEKDAYS[self.weekday]}"
        return "on_data" if self.on_data else "daily"

    @property
    def days(self) -> int:
        """Days from one business date that is scored to the next; 0 where the data say so."""
        return 0 if self.on_data else 1 if self.weekday is None else 7

    def includes(self, day: date) -> bool:
        """Whether this business date is scored."""
        return self.weekday in {None, day.weekday()}

    def last(self, day: date) -> date:
        """The latest business date up to ``day`` that is scored."""
        return day if self.weekday is None else day - timedelta((day.weekday() - self.weekday) % 7)


DAILY = Interval()
ON_DATA = Interval(on_data=True)


def weekly(weekday: str) -> Interval:
    """The business dates of one weekday, such as ``sunday``. Raises ``ValueError``."""
    return Interval.parse(f"weekly:{weekday}")
