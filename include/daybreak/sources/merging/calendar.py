"""Days on which the business is open, and public holidays."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta

import holidays

from daybreak.sources.contract.calendar import WEEKDAYS, Calendar

BEFORE = timedelta(days=60)
AFTER = timedelta(days=400)
"""The calendar reaches beyond the data, for holiday distances and for the forecast itself."""


@dataclass(frozen=True)
class Day:
    """One day of ``raw.calendar``."""

    business_date: date
    open: bool
    holiday: str | None


def days(calendar: Calendar, first: date, last: date) -> Iterator[Day]:
    """Every day from ``first`` to ``last`` inclusive."""
    named: dict[date, str] = {}
    if calendar.country:
        years = range(first.year, last.year + 1)
        named = holidays.country_holidays(
            calendar.country, subdiv=calendar.subdivision, years=years, language="en_US"
        )
    for day in each_day(first, last):
        yield Day(day, is_open(calendar, day), named.get(day))


def is_open(calendar: Calendar, day: date) -> bool:
    """Whether the business as a whole is open on ``day``."""
    if WEEKDAYS[day.weekday()] in calendar.closed_weekdays:
        return False
    return not any(_covers(closed, day) for closed in calendar.closed_dates)


def each_day(first: date, last: date) -> Iterator[date]:
    """``first`` to ``last`` inclusive; none where ``last`` is earlier."""
    for offset in range((last - first).days + 1):
        yield first + timedelta(days=offset)


def _covers(closed: str, day: date) -> bool:
    first, _, last = closed.partition("..")
    if len(first) == len("12-25"):
        return f"{day:%m-%d}" == first
    return first <= day.isoformat() <= (last or first)
