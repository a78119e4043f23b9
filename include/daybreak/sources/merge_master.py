"""Items and stores: what they are called and where they belong, as it changes."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Column, ColumnElement, Table, Text, case, func, literal, select
from sqlalchemy.dialects.postgresql import aggregate_order_by

from daybreak.sources.knowledge import ALWAYS
from daybreak.sources.merging import Merge, Merged, append, dates_of, differs, later, newest
from daybreak.sources.sections import Items, Stores
from daybreak.sources.staging import ROW, stage_clock, temporary
from daybreak.warehouse.tables import Instant, item, store


def master_key(section: Items | Stores) -> str:
    """The column that names an item or a store."""
    return "item_id" if isinstance(section, Items) else "store_id"


def merge_master(merge: Merge, section: Items | Stores, staged: Table) -> Merged:
    """Append what is new, known from its first day, and what has changed, known from now on."""
    key = master_key(section)
    target = item if isinstance(section, Items) else store
    names = [name for name in ("name", "category", "region") if name in staged.c]
    rows = _one_per_key(merge, section, staged, names)
    known = newest(target, (key,))
    is_new = known.c[key].is_(None)
    values = [_value(section, rows.c[name], known.c[name]) for name in names]
    now = literal(merge.knowledge.now, Instant)
    loaded_at = case((is_new, rows.c.known_at), else_=later(now, known))
    query = (
        select(rows.c[key], *values, literal(merge.load_id), loaded_at)
        .select_from(rows.outerjoin(known, known.c[key] == rows.c[key]))
        .where(is_new | differs(values, [known.c[name] for name in names]))
    )
    columns = [key, *names, "load_id", "loaded_at"]
    return Merged(append(merge.conn, target, columns, query))


def _one_per_key(merge: Merge, section: Items | Stores, staged: Table, names: list[str]) -> Table:
    """One row a key with the first (or last) value of each column, and when it was known."""
    key = master_key(section)
    rows = temporary(
        merge.conn,
        "merged",
        Column(key, Text),
        *(Column(name, Text) for name in names),
        Column("known_at", Instant, nullable=False),
    )
    order = staged.c[ROW].desc() if section.duplicates == "last" else staged.c[ROW].asc()
    query = select(staged.c[key], *(_first(staged.c[name], order) for name in names))
    always = literal(ALWAYS, Instant)
    if "known_from" in staged.c:
        dates = [day for day in dates_of(merge.conn, staged, "known_from") if day is not None]
        clock = stage_clock(merge.conn, {day: merge.knowledge.first_known(day) for day in dates})
        on_clock = staged.outerjoin(clock, clock.c.business_date == staged.c.known_from)
        query = query.add_columns(func.coalesce(func.min(clock.c.known_at), always))
        query = query.select_from(on_clock)
        if merge.through is not None:
            late = staged.c.known_from > merge.through
            query = query.where(func.coalesce(late, False).is_(False))
    else:
        query = query.add_columns(always)
    query = query.group_by(staged.c[key])
    made = append(merge.conn, rows, [key, *names, "known_at"], query)
    if section.duplicates != "quarantine":
        merge.tally.rules["merged_into_one_row"] = merge.tally.kept - made
    return rows


def _value(section: Items | Stores, new: Any, before: Any) -> ColumnElement[Any]:
    """A first name stays the first one in later files too; a last one gives way."""
    if section.duplicates == "first":
        return func.coalesce(before, new)
    return func.coalesce(new, before) if section.duplicates == "last" else new


def _first(value: ColumnElement[Any], order: Any) -> ColumnElement[Any]:
    return func.array_agg(aggregate_order_by(value, order)).filter(value.is_not(None))[1]
