"""Spans of business dates that reports are about: a day, an ISO week or a month, by their names."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date, timedelta

from daybreak.errors import InvalidRequest

DAY = timedelta(days=1)


@dataclass(frozen=True)
class Period:
    """``name``: ``2026-07-20``, ``2026-W30`` (ISO 8601) or ``2026-07``. From ``first`` to ``last``.

    A name that is written so is a word of a path too.
    """

    name: str
    first: date
    last: date

    @classmethod
    def parse(cls, name: str) -> Period:
        """The period of that name. Raises ``InvalidRequest``."""
        for pattern, made in _WRITTEN:
            if pattern.fullmatch(name):
                try:
                    return made(name)
                except (ValueError, OverflowError):
                    break
        raise InvalidRequest(
            f"{name!r} is not a period.",
            remedy="Write a day as 2026-07-20, an ISO week as 2026-W30, or a month as 2026-07.",
            field="period",
        )

    @classmethod
    def day(cls, day: date) -> Period:
        """A day alone."""
        return cls(day.isoformat(), day, day)

    @classmethod
    def last_week(cls, day: date) -> Period:
        """The newest ISO week that is over with ``day``."""
        monday = day - timedelta(days=day.isoweekday() % 7 + 6)
        year, week, _ = monday.isocalendar()
        return cls(f"{year:04}-W{week:02}", monday, monday + 6 * DAY)

    @property
    def days(self) -> Iterator[date]:
        """Its days in order."""
        day = self.first
        while day <= self.last:
            yield day
            day += DAY

    def __str__(self) -> str:
        return self.name


def _day(name: str) -> Period:
    return Period.day(date.fromisoformat(name))


def _week(name: str) -> Period:
    monday = date.fromisocalendar(int(name[:4]), int(name[6:]), 1)
    return Period(name, monday, monday + 6 * DAY)


def _month(name: str) -> Period:
    first = date(int(name[:4]), int(name[5:]), 1)
    following = (first + 31 * DAY).replace(day=1)
    return Period(name, first, following - DAY)


_WRITTEN: tuple[tuple[re.Pattern[str], Callable[[str], Period]], ...] = (
    (re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}"), _day),
    (re.compile(r"[0-9]{4}-W[0-9]{2}"), _week),
    (re.compile(r"[0-9]{4}-[0-9]{2}"), _month),
)
