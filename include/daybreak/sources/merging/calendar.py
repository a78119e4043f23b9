"""Business dates on which the business is open, and public holidays."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta

import holidays

from daybreak.interval import WEEKDAYS
from daybreak.sources.contract.calendar import Calendar

BEFORE = timedelta(days=60)
AFTER = timedelta(days=400)
"""The calendar reaches beyond the data, for holiday distances and for the forecast itself."""


@dataclass(frozen=True)
class Day:
    """One row of ``raw.calendar``: a business date, and the ``days`` that end on it.

    ``open``: on any of them. ``holiday``: the names of all public holidays among them.
    """

    business_date: date
    open: bool
    holiday: str | None
    days: int = 1


def days(calendar: Calendar, first: date, last: date) -> Iterator[Day]:
    """Every business date from ``first`` to ``last`` inclusive."""
    named: dict[date, str] = {}
    if calendar.country:
        years = range(first.year - 1, last.year + 1)
        named = holidays.country_holidays(
            calendar.country, subdiv=calendar.subdivision, years=years, language="en_US"
        )
    for end in calendar.ends(first, last):
        holidays_there = [named[day] for day in _of_period(calendar, end) if day in named]
        yield Day(end, is_open(calendar, end), "; ".join(holidays_there) or None, calendar.days)


def is_open(calendar: Calendar, business_date: date) -> bool:
    """Whether the business as a whole is open on any day of the period that ends then."""
    return any(_open_on(calendar, day) for day in _of_period(calendar, business_date))


def _open_on(calendar: Calendar, day: date) -> bool:
    if WEEKDAYS[day.weekday()] in calendar.closed_weekdays:
        return False
    return not any(_covers(closed, day) for closed in calendar.closed_dates)


def _of_period(calendar: Calendar, end: date) -> list[date]:
    return [end - timedelta(days=back) for back in range(calendar.days)][::-1]


def _covers(closed: str, day: date) -> bool:
    first, _, last = closed.partition("..")
    if len(first) == len("12-25"):
        return f"{day:%m-%d}" == first
    return first <= day.isoformat() <= (last or first)
