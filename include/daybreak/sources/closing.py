"""Which business days are closed: those that every section that closes days covers.

A section reaches the dates from the first to the last one of each of its files. Days before the
first date of a section do not wait for it, so that interactions may begin later than sales. From
then on a day that one of the sections lacks stays open, even where others go on.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta

from sqlalchemy import Connection, func, insert, select
from sqlalchemy.dialects.postgresql import insert as upsert

from daybreak.sources.contract.spec import DatasetSpec
from daybreak.sources.merging import calendar as business
from daybreak.sources.merging.knowledge import Knowledge
from daybreak.sources.merging.shared import closed_dates
from daybreak.warehouse.tables import calendar, day_closed, load


@dataclass(frozen=True)
class Reach:
    """The dates that the loads of one section cover, each with the newest load that does.

    ``first`` and ``last`` of them; earlier days do not wait for the section.
    """

    kind: str
    loads: dict[date, int]
    first: date
    last: date

    def lacks(self, day: date) -> bool:
        """Whether ``day`` waits for rows of this section."""
        return day >= self.first and day not in self.loads


def close_days(
    conn: Connection, spec: DatasetSpec, knowledge: Knowledge, through: date | None = None
) -> tuple[int, date | None]:
    """Close the days that are complete and over; closed weekdays between them and after them too.

    No file comes for a Saturday on which the shop is closed: such a day is complete once it is
    over, and the run for it must not wait for Monday's file. Returns how many days were closed now,
    and the last closed day of all.
    """
    reached = reaches(conn, spec)
    if not reached:
        return 0, None
    # Of the sections that cover a day the first one in the table says which load it was.
    covered = {day: load_id for reach in reversed(reached) for day, load_id in reach.loads.items()}
    first = min(covered)
    last = _last_closable(spec, knowledge, min(reach.last for reach in reached), through)
    known_until = _last_closable(spec, knowledge, max(covered), through)
    _fill_calendar(conn, spec, first, known_until)
    newest_load = max(covered.values())
    already = closed_dates(conn, [first, last])
    rows = [
        {
            "business_date": day,
            "closed_at": knowledge.first_known(day),
            "load_id": covered.get(day, newest_load),
        }
        for day in spec.calendar.ends(first, last)
        if day not in already
        and knowledge.is_over(day)
        and (_is_complete(reached, day) or not business.is_open(spec.calendar, day))
    ]
    if rows:
        conn.execute(insert(day_closed), rows)
    return len(rows), conn.scalar(select(func.max(day_closed.c.business_date)))


def awaited(conn: Connection, spec: DatasetSpec, day: date) -> tuple[str, ...]:
    """The kinds of sections whose rows of ``day`` are not loaded yet; none where all are."""
    reached = reaches(conn, spec)
    if _is_complete(reached, day):
        return ()
    return tuple(reach.kind for reach in reached if reach.lacks(day)) or spec.closing


def reaches(conn: Connection, spec: DatasetSpec) -> list[Reach]:
    """How far each section that closes days has come; without those that never had a row."""
    spans = conn.execute(
        select(load.c.source, load.c.first_date, load.c.last_date, load.c.load_id)
        .where(load.c.source.in_(spec.closing), load.c.first_date.is_not(None))
        .order_by(load.c.load_id)
    ).all()
    found = []
    for kind in spec.closing:
        loads = {
            day: span.load_id
            for span in spans
            if span.source == kind
            for day in spec.calendar.ends(span.first_date, span.last_date)
        }
        if loads:
            found.append(Reach(kind, loads, min(loads), max(loads)))
    return found


def _is_complete(reached: list[Reach], day: date) -> bool:
    return any(day in reach.loads for reach in reached) and not any(
        reach.lacks(day) for reach in reached
    )


def _last_closable(
    spec: DatasetSpec, knowledge: Knowledge, covered: date, through: date | None
) -> date:
    """The last of the days after ``covered`` on which the business is closed, else ``covered``."""
    period = timedelta(days=spec.calendar.days)
    last, following = covered, covered + period
    while (
        not business.is_open(spec.calendar, following)
        and knowledge.is_over(following)
        and (through is None or following <= through)
    ):
        last, following = following, following + period
    return last


def _fill_calendar(conn: Connection, spec: DatasetSpec, first: date, last: date) -> None:
    known = {row.business_date: row for row in conn.execute(select(calendar))}
    wanted = business.days(spec.calendar, first - business.BEFORE, last + business.AFTER)
    changed = [
        vars(day)
        for day in wanted
        if (old := known.get(day.business_date)) is None
        or (old.open, old.holiday, old.days) != (day.open, day.holiday, day.days)
    ]
    if changed:
        statement = upsert(calendar)
        new = {name: statement.excluded[name] for name in ("open", "holiday", "days")}
        conn.execute(
            statement.on_conflict_do_update(index_elements=[calendar.c.business_date], set_=new),
            changed,
        )
