"""Interactions have no key: a customer may buy the same thing twice in one minute.

So a file that covers known dates again is compared as a bag of rows: what it has more of is
appended; what it has less of stays, because a fact that was known cannot become unknown.
"""

from __future__ import annotations

from datetime import date
from typing import Any

from sqlalchemy import ColumnElement, Date, Table, cast, func, literal, null, select

from daybreak.sources.merging import Merge, Merged, append, closed_dates
from daybreak.sources.staging import stage_clock
from daybreak.warehouse.tables import interaction

_VALUES = ("event_at", "user_id", "item_id", "kind", "quantity", "price")


def merge_interactions(merge: Merge, staged: Table) -> Merged:
    """Append the rows of ``staged`` that the warehouse does not hold yet."""
    zone = literal(str(merge.knowledge.zone))
    day = cast(func.timezone(zone, staged.c.event_at), Date)
    dates: list[date] = list(merge.conn.scalars(select(day).distinct().order_by(day)))
    if not dates:
        return Merged(0)
    closed = closed_dates(merge.conn, dates)
    clock = stage_clock(merge.conn, {d: merge.knowledge.of_fact(d, d in closed) for d in dates})
    new = select(*(staged.c[name] if name in staged.c else _absent(name) for name in _VALUES))
    span = merge.conn.execute(
        select(func.min(staged.c.event_at), func.max(staged.c.event_at))
    ).one()
    within = interaction.c.event_at.between(*span)
    rows = new.subquery()
    if merge.conn.execute(select(interaction.c.load_id).where(within).limit(1)).first():
        known = select(*(interaction.c[name] for name in _VALUES)).where(within)
        rows = new.except_all(known).subquery()
    local = cast(func.timezone(zone, rows.c.event_at), Date)
    query = select(*rows.c, literal(merge.load_id), clock.c.known_at).select_from(
        rows.join(clock, clock.c.business_date == local)
    )
    target = [*_VALUES, "load_id", "loaded_at"]
    loaded = append(merge.conn, interaction, target, query)
    return Merged(loaded, 0, dates[0], dates[-1])


def _absent(name: str) -> ColumnElement[Any]:
    return cast(null(), interaction.c[name].type).label(name)
