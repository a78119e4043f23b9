"""The two clocks: the business date (when it happened) and the knowledge time (when we knew)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import cache
from zoneinfo import ZoneInfo

from daybreak.errors import ConfigError

_DATE = re.compile("[0-9]{4}-[0-9]{2}-[0-9]{2}")


@dataclass(frozen=True)
class AsOf:
    """The bound on both clocks that every read of facts carries.

    A fact is visible when its event date is ``<= business_date`` **and** it was loaded at or
    before ``cutoff`` (an aware datetime). A plan for a later date (a price, a promotion) is
    visible when it was loaded at or before ``cutoff``.
    """

    business_date: date
    cutoff: datetime

    def __post_init__(self) -> None:
        if self.cutoff.tzinfo is None:
            raise ConfigError(
                f"The knowledge cutoff {self.cutoff.isoformat()} has no time zone.",
                remedy="Give an aware datetime, such as 2026-01-02T02:00:00+00:00.",
                field="cutoff",
            )


def written_date(value: object) -> date:
    """A date as people and files give it: ``2026-01-31`` and nothing else, or a ``date``.

    Python's own parser takes 20260131 and 2026-W05-6 too, and pydantic any digits, as seconds
    since 1970: what looks like a number is more likely a mistake. Raises ``ValueError``.
    """
    if type(value) is date:
        return value
    if not (isinstance(value, str) and _DATE.fullmatch(value)):
        raise ValueError("a date is written as 2026-01-31")
    return date.fromisoformat(value)


def local_moment(day: date, at: time, timezone: str) -> datetime:
    """The moment (UTC) at which clocks in ``timezone`` show ``at`` on ``day``.

    Where clocks go back they show it twice, and the second time counts. Where they go forward
    they may never show it; then it is as much later as they were moved: 02:30 becomes 03:30.
    Both are the rule of Airflow's cron timetables, so that the clock which starts a run and the
    one that bounds its knowledge are the same.
    """
    local = datetime.combine(day, at, ZoneInfo(timezone))
    return max(local.replace(fold=fold).astimezone(UTC) for fold in (0, 1))


@dataclass(frozen=True)
class Slot:
    """A span of time, from ``begins`` up to ``ends``, which is not in it; both aware."""

    begins: datetime
    ends: datetime


def start_of_day(day: date, timezone: str) -> datetime:
    """The first moment (UTC) at which clocks in ``timezone`` show the day.

    Where clocks go forward at midnight that is 1:00, and where they show midnight twice the first
    one counts.
    """
    return datetime.combine(day, time(), ZoneInfo(timezone)).astimezone(UTC)


def slot_of_day(moment: datetime, length: timedelta, day: date, timezone: str) -> Slot:
    """The slot of a day that a moment is in. Slots are of one length, from the day's first moment
    on; the last one ends with the day, and on days with 23 or 25 hours there are fewer or more.

    Raises ``ValueError`` for a moment of another day.
    """
    first, end = start_of_day(day, timezone), start_of_day(day + timedelta(days=1), timezone)
    if not first <= moment < end:
        raise ValueError(f"{moment.isoformat()} is not on {day}")
    begins = first + (moment - first) // length * length
    return Slot(begins, min(begins + length, end))


def scheduled_cutoff(business_date: date, run_at: time, timezone: str) -> datetime:
    """When the run for a business date is due to start: ``run_at`` on the day after, in UTC.

    A replay uses this moment instead of the present one, so that it knows what the first run
    knew and nothing more.
    """
    return local_moment(business_date + timedelta(days=1), run_at, timezone)


def due_at(business_date: date, run_at: time, due: time, timezone: str) -> datetime:
    """The moment (UTC) at which scores of ``business_date`` have to be out: ``due`` local time on
    the day after. It follows the wall clock through a change to or from summer time.

    Where that change leaves no time between the start of the run and ``due``, the run gets as
    much as on other nights.
    """
    start = scheduled_cutoff(business_date, run_at, timezone)
    due_moment = local_moment(business_date + timedelta(days=1), due, timezone)
    return due_moment if due_moment > start else start + between(run_at, due)


def between(run_at: time, due: time) -> timedelta:
    """From ``run_at`` to ``due``, without a change of the clocks."""
    day = date.min
    return datetime.combine(day, due) - datetime.combine(day, run_at)


def shortest_night(run_at: time, due: time, timezone: str) -> timedelta:
    """The least time that any run has from its start to ``due``.

    Shorter than ``between`` where clocks in ``timezone`` go forward in these hours.
    """
    return min(
        due_at(night, run_at, due, timezone) - scheduled_cutoff(night, run_at, timezone)
        for night in _nights_around_changes(timezone)
    )


@cache
def _nights_around_changes(timezone: str) -> list[date]:
    """Business dates of two years around each change of the clocks, and one without."""
    zone, day = ZoneInfo(timezone), timedelta(days=1)
    days = [date(2026, 1, 1) + n * day for n in range(730)]
    noons = [datetime.combine(one, time(12), zone).utcoffset() for one in days]
    changed = [one for one, old, new in zip(days, noons, noons[1:], strict=False) if old != new]
    return [days[0], *(night for one in changed for night in (one - day, one))]
