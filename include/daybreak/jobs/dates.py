"""Which business date a run is about: one answer for every kind of run, and never "today"."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from daybreak.clock import local_moment, written_date
from daybreak.errors import NoBusinessDate
from daybreak.run_types import FROM_THE_TIMETABLE

REMEDY = (
    "Give the run a logical date, or a business date in its configuration: "
    '{"business_date": "2026-01-31"}.'
)


def resolve_business_date(
    *,
    logical_date: datetime | None,
    conf: Mapping[str, Any] | None,
    run_type: str,
    timezone: str,
    run_at: time | None = None,
    events: Sequence[Mapping[str, Any]] = (),
) -> date:
    """The business date of a run, from the first of these that is there:

    1. ``conf["business_date"]``. A scheduled or backfill run takes its days from the timetable,
       so there it may only repeat what the logical date says.
    2. The logical date (aware), as a date in ``timezone``; in a run of the timetable, the day
       whose ``run_at`` it is, also where clocks went past midnight with it. Midnight UTC in a
       run that a person made is a date without a time, as ``--logical-date 2026-01-31`` writes
       it, and is taken as that date in every zone. The data interval is never asked: that of a
       manual run ends on its logical date.
    3. ``business_date`` in the ``extra`` of the asset ``events`` that triggered the run; of
       several days the newest, as Airflow gathers events into one run, and a backfill upstream must
       not keep the nightly run from its own day (``left_out``).

    Raises ``NoBusinessDate`` where there is none, where it cannot be read, and where the
    configuration and the timetable differ.
    """
    configured = _parse((conf or {}).get("business_date"), "conf.business_date")
    dated = _date_of(logical_date, run_type, timezone, run_at) if logical_date else None
    if configured is not None:
        if run_type in FROM_THE_TIMETABLE and dated not in (None, configured):
            raise NoBusinessDate(
                f"The configuration says {configured}, but this {run_type} run is for {dated}.",
                remedy="Leave business_date out: a backfill goes from --from-date to --to-date.",
                field="conf.business_date",
            )
        return configured
    return dated or _from_events(events)


def _date_of(logical_date: datetime, run_type: str, timezone: str, run_at: time | None) -> date:
    moment = logical_date.astimezone(UTC)
    if run_type not in FROM_THE_TIMETABLE:
        typed = moment.time() == time(0)
        return moment.date() if typed else moment.astimezone(ZoneInfo(timezone)).date()
    return day_of_start(moment, timezone, run_at)


def day_of_start(moment: datetime, timezone: str, run_at: time | None) -> date:
    """The day whose ``run_at`` a logical date of the timetable is."""
    shown = moment.astimezone(ZoneInfo(timezone)).date()
    if run_at is None or local_moment(shown, run_at, timezone) == moment:
        return shown
    before = shown - timedelta(days=1)  # Nuuk, 30 March 2024: 23:30 of that day was 00:30
    return before if local_moment(before, run_at, timezone) == moment else shown


def left_out(events: Sequence[Mapping[str, Any]], day: date) -> str:
    """A sentence on the days of the ``events`` that a run for ``day`` leaves out; '' for none."""
    days = ", ".join(map(str, sorted(_days_of(events) - {day})))
    return f" Also published, and left to a backfill: {days}." if days else ""


def _from_events(events: Sequence[Mapping[str, Any]]) -> date:
    if days := _days_of(events):
        return max(days)
    raise NoBusinessDate("This run has neither a logical date nor a business date.", remedy=REMEDY)


def _days_of(events: Sequence[Mapping[str, Any]]) -> set[date]:
    found = (_parse(event.get("business_date"), "event.business_date") for event in events)
    return {day for day in found if day is not None}


def _parse(value: object, field: str) -> date | None:
    if value is None or value == "":
        return None
    try:
        return written_date(value)
    except ValueError:
        raise NoBusinessDate(
            f"{field} is {value!r}, which is not a date.",
            remedy="Write it as 2026-01-31.",
            field=field,
        ) from None
