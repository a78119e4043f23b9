"""Dated values, such as costs and stock: a number for a key, from a business date on.

Nothing is updated: a row is compared with the newest one of its key, and what differs is appended,
known later. The clock of a row is either its own ``known_at`` or the close of its business date.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import date
from typing import Any, ClassVar

from sqlalchemy import ColumnElement, Table, and_, case, func, literal, or_, select

from daybreak.sources.contract.canonical import CanonicalColumn, Kind
from daybreak.sources.contract.section import Section
from daybreak.sources.merging.shared import Merge, Merged, append, dates_of, differs, later, newest
from daybreak.sources.merging.staging import stage_clock
from daybreak.warehouse.tables import ALL_STORES, Instant, day_closed

SOME_STORE = CanonicalColumn("store_id", Kind.TEXT, key=True)
"""A store that a row may leave out, which then holds for all of them."""

KNOWN_AT = CanonicalColumn("known_at", Kind.INSTANT)


class Dated(Section):
    """A section of dated values: ``keys`` are what a row is found by, ``value`` its number.

    A row with a ``known_at`` is known from then on, which its source vouches for; any other from
    the end of its day and ``arrival_lag`` on, or from now on where a day that it could have
    changed is closed already.
    """

    keys: ClassVar[tuple[str, ...]]
    value: ClassVar[str]


def unique_key(section: Dated, columns: Collection[str]) -> tuple[str, ...]:
    """What stands once in a file: a value for each key, and for each moment that it gives."""
    return tuple(name for name in (*section.keys, KNOWN_AT.name) if name in columns)


def last_date(section: Dated, through: date) -> date | None:
    """``through``; rows with a ``known_at`` are distinguished as they are merged."""
    return None if not section.columns or KNOWN_AT.name in section.columns else through


def merge_dated(merge: Merge, section: Dated, staged: Table) -> Merged:
    """Append the staged rows that say something new."""
    dates = dates_of(merge.conn, staged)
    if merge.through is not None and KNOWN_AT.name not in staged.c:
        dates = [day for day in dates if day <= merge.through]
    if not dates:
        return Merged(0)
    target, value = merge.target, section.value
    closed = select(func.max(day_closed.c.business_date), func.max(day_closed.c.closed_at))
    last_closed, sealed = merge.conn.execute(closed).one()
    clock = stage_clock(
        merge.conn,
        {day: merge.knowledge.of_value(day, last_closed, sealed) for day in dates},
    )
    now = literal(merge.knowledge.now, Instant)
    keys = {name: _key(staged, name) for name in section.keys}
    rows = select(*(column.label(name) for name, column in keys.items()), staged.c[value])
    if KNOWN_AT.name in staged.c:
        newest_of_file = func.max(staged.c.known_at).over(partition_by=list(keys.values()))
        rows = rows.add_columns(staged.c.known_at, newest_of_file.label("newest"))
    else:
        nothing = literal(None, Instant)
        rows = rows.add_columns(nothing.label("known_at"), nothing.label("newest"))
    new = rows.subquery("new")
    # A moment that is still to come cannot be the one at which the row became known.
    own_clock = case((new.c.known_at <= now, new.c.known_at))
    other_clock = case((new.c.known_at.is_not(None), now), else_=clock.c.known_at)
    within = target.c.business_date.between(dates[0], dates[-1])
    last = newest(target, section.keys, within).alias("last")
    then = newest(target, (*section.keys, "loaded_at"), within).alias("then")

    def same_key(known: Any) -> ColumnElement[bool]:
        return and_(*(known.c[name] == new.c[name] for name in section.keys))

    changed = differs([new.c[value]], [last.c[value]])
    # What a later moment of the same file replaces is history: to correct it changes nothing now.
    corrected = and_(
        differs([new.c[value]], [then.c[value]]), changed, new.c.known_at == new.c.newest
    )
    is_new = then.c.load_id.is_(None)
    loaded_at = case(
        (own_clock.is_(None), later(other_clock, last)),
        (is_new, own_clock),
        else_=later(now, last),
    )
    query = (
        select(*(new.c[name] for name in (*section.keys, value)), literal(merge.load_id), loaded_at)
        .select_from(
            new.join(clock, clock.c.business_date == new.c.business_date)
            .outerjoin(last, same_key(last))
            .outerjoin(then, and_(same_key(then), then.c.loaded_at == own_clock))
        )
        .where(
            or_(
                and_(own_clock.is_(None), or_(last.c.load_id.is_(None), changed)),
                and_(own_clock.is_not(None), or_(is_new, corrected)),
            )
        )
    )
    if merge.through is not None:
        end = literal(merge.knowledge.ends(merge.through), Instant)
        in_time = case(
            (new.c.known_at.is_not(None), new.c.known_at <= end),
            else_=new.c.business_date <= literal(merge.through),
        )
        query = query.where(in_time)
    columns = [*section.keys, value, "load_id", "loaded_at"]
    return Merged(append(merge.conn, target, columns, query), 0, dates[0], dates[-1])


def _key(staged: Table, name: str) -> ColumnElement[Any]:
    if name != SOME_STORE.name:
        return staged.c[name]
    everywhere = literal(ALL_STORES)
    return func.coalesce(staged.c[name], everywhere) if name in staged.c else everywhere
