"""Which business days are closed: those that every section that closes days covers.

A section reaches the dates from the first to the last one of each of its files. Days before the
first date of a section do not wait for it, so that interactions may begin later than sales. From
then on a day that one of the sections lacks stays open, even where others go on.

Of a stream that is live no file says that a day is complete. From where its files end, or else from
its first day, each day counts as covered once it has been over for ``arrival_lag``, whether events
came or not; what comes later is known later. Several streams are as several sections.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Row, func, insert, select
from sqlalchemy.dialects.postgresql import insert as upsert

from daybreak.sources.contract.section import Facts, Section
from daybreak.sources.contract.spec import DatasetSpec
from daybreak.sources.merging import calendar as business
from daybreak.sources.merging.knowledge import Knowledge
from daybreak.sources.merging.shared import closed_dates
from daybreak.sources.sections.kind import Live
from daybreak.sources.sections.table import kind_of
from daybreak.warehouse.tables import calendar, day_closed, load

LIVE = "live"
"""In place of the sha256 of a file: the load of all rows that come by themselves."""
ONE_DAY = timedelta(days=1)


@dataclass(frozen=True)
class Reach:
    """The dates that one section covers, each with the newest load that does.

    ``loads``: None for a date whose rows came live, before the ingest that writes that down.
    ``first`` and ``last`` of them; earlier days do not wait for the section.
    """

    kind: str
    loads: dict[date, int | None]
    first: date
    last: date

    def lacks(self, day: date) -> bool:
        """Whether ``day`` waits for rows of this section."""
        return day >= self.first and day not in self.loads


@dataclass(frozen=True)
class _Part:
    """What a day waits for: a section, or one of several of its kind.

    ``files``: loads of its files, in their order. ``live``: how rows come by themselves, None where
    they do not; ``noted``: the load that says from which day on.
    """

    kind: str
    files: Sequence[Row[Any]]
    live: Live | None
    noted: Row[Any] | None

    def live_since(self, conn: Connection) -> date | None:
        """The first day that is covered because rows come by themselves."""
        if self.live is None:
            return None
        if self.noted is not None:
            since: date = self.noted.first_date
            return since
        if self.files:
            ended: date = max(one.last_date for one in self.files)
            return ended + ONE_DAY
        return self.live.first_day(conn)


def close_days(
    conn: Connection, spec: DatasetSpec, knowledge: Knowledge, through: date | None = None
) -> tuple[int, date | None]:
    """Close the days that are complete and over; closed weekdays between them and after them too.

    No file comes for a Saturday on which the shop is closed: such a day is complete once it is
    over, and the run for it must not wait for Monday's file. Returns how many days were closed now,
    and the last closed day of all.
    """
    parts = [_noted(conn, spec, part, knowledge.now) for part in _parts(conn, spec)]
    reached = _reaches(conn, spec, parts, _last_arrived(knowledge, through))
    # Of the sections that cover a day the first one in the table says which load it was.
    covered = {day: load_id for reach in reversed(reached) for day, load_id in reach.loads.items()}
    if not covered:
        return 0, None
    first = min(covered)
    last = _last_closable(spec, knowledge, min(reach.last for reach in reached), through)
    known_until = _last_closable(spec, knowledge, max(covered), through)
    _fill_calendar(conn, spec, first, known_until)
    newest_load = max(load_id for load_id in covered.values() if load_id is not None)
    already = closed_dates(conn, [first, last])
    closed = {
        day: knowledge.first_known(day)
        for day in spec.calendar.ends(first, last)
        if day not in already
        and knowledge.is_over(day)
        and (_is_complete(reached, day) or not business.is_open(spec.calendar, day))
    }
    if closed:
        # A run for the day reads what is known by then, and so does each replay of it.
        for part in parts:
            if part.live is not None:
                part.live.seal(conn, max(closed.values()))
        rows = [
            {
                "business_date": day,
                "closed_at": closed_at,
                "load_id": covered.get(day, newest_load),
            }
            for day, closed_at in closed.items()
        ]
        conn.execute(insert(day_closed), rows)
    return len(closed), conn.scalar(select(func.max(day_closed.c.business_date)))


def awaited(
    conn: Connection, spec: DatasetSpec, day: date, now: datetime | None = None
) -> tuple[str, ...]:
    """The kinds of sections whose rows of ``day`` are not loaded yet; none where all are.

    ``now``: by which it is known whether a live stream may still bring some; without it a day is
    taken for one that is over.
    """
    until = day if now is None else _last_arrived(_knowledge(spec, now), None)
    reached = _reaches(conn, spec, _parts(conn, spec), until)
    if _is_complete(reached, day):
        return ()
    lacking = dict.fromkeys(reach.kind for reach in reached if reach.lacks(day))
    return tuple(lacking) or spec.closing


def _reaches(
    conn: Connection, spec: DatasetSpec, parts: Sequence[_Part], until: date
) -> list[Reach]:
    """How far each part has come; without those that never had a row.

    ``until``: the last day whose live rows have arrived.
    """
    found = []
    for part in parts:
        loads: dict[date, int | None] = {}
        since = part.live_since(conn)
        if since is not None:
            by_load: int | None = part.noted.load_id if part.noted is not None else None
            loads |= dict.fromkeys(spec.calendar.ends(since, until), by_load)
        for one in part.files:
            loads |= dict.fromkeys(spec.calendar.ends(one.first_date, one.last_date), one.load_id)
        begun = [*loads] if since is None else [*loads, spec.calendar.end_of(since)]
        if begun:
            first = min(begun)
            before = first - timedelta(days=spec.calendar.days)
            found.append(Reach(part.kind, loads, first, max(loads, default=before)))
    return found


def _parts(conn: Connection, spec: DatasetSpec) -> list[_Part]:
    """What days wait for, in the order of the file."""
    spans = conn.execute(
        select(load)
        .where(load.c.source.in_(spec.closing), load.c.first_date.is_not(None))
        .order_by(load.c.load_id)
    ).all()
    found = []
    for kind in spec.closing:
        of_kind = [section for section in spec.sections if section.kind == kind]
        by_part: dict[str, list[Section]] = {}
        for section in of_kind:
            if isinstance(section, Facts) and section.closes_days:
                by_part.setdefault(kind_of(section).part(section), []).append(section)
        files = [one for one in spans if one.source == kind and one.sha256 != LIVE]
        for sections in by_part.values():
            live = kind_of(sections[0]).live(conn, sections[0])
            noted = [
                one
                for one in spans
                if live is not None and (one.sha256, one.reading) == (LIVE, live.address)
            ]
            own = _loads_of(sections, of_kind, files)
            found.append(_Part(kind, own, live, noted[0] if noted else None))
    return found


def _loads_of(
    sections: Sequence[Section], of_kind: Sequence[Section], files: Sequence[Row[Any]]
) -> Sequence[Row[Any]]:
    """Which loads of a kind are of these sections of it.

    A load says how its file was read, and so by which section. One that was read in a way that no
    section has any more (a mapping was changed) is of those that have no other.
    """
    part = kind_of(sections[0]).part
    if len({part(section) for section in of_kind}) == 1:
        return files
    own, known = (tuple(section.reading() for section in some) for some in (sections, of_kind))
    return [one for one in files if one.reading.startswith(own)] or [
        one for one in files if not one.reading.startswith(known)
    ]


def _noted(conn: Connection, spec: DatasetSpec, part: _Part, now: datetime) -> _Part:
    """The part with a load that says since when its rows come by themselves, where they do.

    Written down once: files that come afterwards are late, and move nothing.
    """
    since = part.live_since(conn)
    if part.live is None or part.noted is not None or since is None:
        return part
    statement = insert(load).values(
        dataset=spec.name,
        source=part.kind,
        uri=part.live.address,
        sha256=LIVE,
        reading=part.live.address,
        rows_read=0,
        rows_loaded=0,
        rows_quarantined=0,
        rules={},
        first_date=since,
        finished_at=now,
    )
    row = conn.execute(statement.returning(load)).one()
    return _Part(part.kind, part.files, part.live, row)


def _knowledge(spec: DatasetSpec, now: datetime) -> Knowledge:
    return Knowledge(now, spec.calendar.zone, spec.arrival_lag, spec.calendar.days)


def _last_arrived(knowledge: Knowledge, through: date | None) -> date:
    """The last day that has been over for as long as its facts take to arrive."""
    arrived = (knowledge.now - knowledge.arrival_lag).astimezone(knowledge.zone).date() - ONE_DAY
    return arrived if through is None else min(arrived, through)


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
