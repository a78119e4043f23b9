"""Master data, such as items and stores: names and categories, as they change."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, ClassVar, Literal

from pydantic import Field
from sqlalchemy import (
    Column,
    ColumnElement,
    FromClause,
    Table,
    Text,
    case,
    cast,
    func,
    literal,
    select,
)
from sqlalchemy.dialects.postgresql import JSONB, aggregate_order_by

from daybreak.sources.contract.section import Section
from daybreak.sources.merging.knowledge import ALWAYS
from daybreak.sources.merging.shared import Merge, Merged, append, dates_of, differs, later, newest
from daybreak.sources.merging.staging import ROW, stage_clock, temporary
from daybreak.warehouse.tables import Instant

ALL = "categories"
KNOWN_AT = "known_at"


class Master(Section):
    """A section that names things by ``key``, the first canonical column."""

    key: ClassVar[str]

    duplicates: Literal["quarantine", "first", "last"] = Field(
        "quarantine", description="first, last: take that value of each column in file order"
    )


def unique_key(section: Master, _: Collection[str]) -> tuple[str, ...]:
    """The column that may stand once in a file; none where ``duplicates`` merges its rows."""
    return (section.key,) if section.duplicates == "quarantine" else ()


def merge_master(merge: Merge, section: Master, staged: Table) -> Merged:
    """Append what is new, known from its first day, and what has changed, known from now on."""
    key, target = section.key, merge.target
    rows = _one_per_key(merge, section, staged)
    known = newest(target, (key,))
    is_new = known.c[key].is_(None)
    names = [column.name for column in rows.c if column.name not in (key, KNOWN_AT)]
    before = [_known_categories(known) if name == ALL else known.c[name] for name in names]
    values = {
        name: _value(section, rows.c[name], old) for name, old in zip(names, before, strict=True)
    }
    changed = differs(list(values.values()), before)
    if (all_of_them := values.pop(ALL, None)) is not None:
        values["category"] = all_of_them.op("->>")(0)
        values[ALL] = case((func.jsonb_array_length(all_of_them) > 1, all_of_them))
    now = literal(merge.knowledge.now, Instant)
    loaded_at = case((is_new, rows.c[KNOWN_AT]), else_=later(now, known))
    query = (
        select(rows.c[key], *values.values(), literal(merge.load_id), loaded_at)
        .select_from(rows.outerjoin(known, known.c[key] == rows.c[key]))
        .where(is_new | changed)
    )
    columns = [key, *values, "load_id", "loaded_at"]
    return Merged(append(merge.conn, target, columns, query))


def _one_per_key(merge: Merge, section: Master, staged: Table) -> Table:
    """One row a key with the first (or last) value of each column, and when it was known."""
    key = section.key
    given: dict[str, ColumnElement[Any]] = {
        name: staged.c[name] for name in ("name", "region") if name in staged.c
    }
    if (categories := _staged_categories(staged)) is not None:
        given[ALL] = categories
    rows = temporary(
        merge.conn,
        "merged",
        Column(key, Text),
        *(Column(name, value.type) for name, value in given.items()),
        Column(KNOWN_AT, Instant, nullable=False),
    )
    order = staged.c[ROW].desc() if section.duplicates == "last" else staged.c[ROW].asc()
    query = select(staged.c[key], *(_first(value, order) for value in given.values()))
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
    made = append(merge.conn, rows, [key, *given, KNOWN_AT], query)
    if section.duplicates != "quarantine":
        merge.tally.rules["merged_into_one_row"] = merge.tally.kept - made
    return rows


def _staged_categories(staged: Table) -> ColumnElement[Any] | None:
    """All categories of a staged row as a JSON list; a single one is a list of one."""
    if ALL in staged.c:
        return cast(staged.c[ALL], JSONB)
    return _listed(staged.c.category) if "category" in staged.c else None


def _known_categories(known: FromClause) -> ColumnElement[Any]:
    return func.coalesce(known.c[ALL], _listed(known.c.category), type_=JSONB)


def _listed(category: ColumnElement[Any]) -> ColumnElement[Any]:
    return case((category.is_not(None), func.jsonb_build_array(category, type_=JSONB)))


def _value(section: Master, new: Any, before: Any) -> ColumnElement[Any]:
    """A first name stays the first one in later files too; a last one gives way."""
    if section.duplicates == "first":
        return func.coalesce(before, new)
    return func.coalesce(new, before) if section.duplicates == "last" else new


def _first(value: ColumnElement[Any], order: Any) -> ColumnElement[Any]:
    return func.array_agg(aggregate_order_by(value, order)).filter(value.is_not(None))[1]
