"""Rows of ``raw.plan``: covariates known ahead of their date.

A reader takes the plan row loaded last as a whole, so every new row carries along what was known
before it: null never hides a value.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, timedelta
from typing import Any

from sqlalchemy import (
    ColumnElement,
    FromClause,
    Table,
    and_,
    case,
    func,
    literal,
    or_,
    select,
)
from sqlalchemy.dialects.postgresql import JSONB

from daybreak.sources.contract.canonical import COVARIATES, STORE_LEVEL, Kind
from daybreak.sources.contract.section import WithCovariates
from daybreak.sources.merging.shared import (
    Merge,
    append,
    closed_dates,
    covariates_json,
    dates_of,
    differs,
    later,
    newest,
)
from daybreak.sources.merging.staging import stage_clock, staging_columns, temporary
from daybreak.warehouse.tables import plan

KEYS = ("business_date", "store_id", "item_id")
WHOLE_STORE = ""
_OWN = tuple(column.name for column in COVARIATES)


def append_derived_plan(
    merge: Merge, section: WithCovariates, known_ahead: Mapping[str, timedelta], rows: Table
) -> int:
    """Plan rows from a file of facts itself, for the covariates of ``known_ahead``.

    A covariate known later joins those known earlier. Opening and holidays hold for the store.
    """
    planned = 0
    for for_store in (False, True):
        ahead = {
            name: duration
            for name, duration in known_ahead.items()
            if (name in STORE_LEVEL) == for_store and name in rows.c
        }
        source = _per_store(merge, section, rows, list(ahead)) if for_store and ahead else rows
        for duration in sorted(set(ahead.values()), reverse=True):
            # The earliest comes first; each later one carries along what is known before it.
            names = [name for name in ahead if ahead[name] == duration]
            planned += append_plan(merge, source, names, section.covariates, duration)
    return planned


def _per_store(merge: Merge, section: WithCovariates, rows: Table, names: list[str]) -> Table:
    canonical = [c for c in section.canonical if c.name in (*KEYS, *names)]
    table = temporary(merge.conn, "per_store", *staging_columns(canonical))
    kinds = {column.name: column.kind for column in canonical}
    values = [
        (func.bool_or if kinds[name] is Kind.FLAG else func.max)(rows.c[name]) for name in names
    ]
    day, store = rows.c.business_date, rows.c.store_id
    query = select(day, store, literal(WHOLE_STORE), *values).group_by(day, store)
    append(merge.conn, table, [*KEYS, *names], query)
    return table


def _item_of(rows: Table) -> ColumnElement[Any]:
    return (
        func.coalesce(rows.c.item_id, WHOLE_STORE) if "item_id" in rows.c else literal(WHOLE_STORE)
    )


def append_plan(
    merge: Merge, rows: Table, names: list[str], extras: list[str], ahead: timedelta
) -> int:
    """Append rows whose values were known ``ahead`` of their date."""
    knowledge = merge.knowledge
    dates = [day for day in dates_of(merge.conn, rows) if _known_by(day, ahead, merge.through)]
    if not dates:
        return 0
    closed = closed_dates(merge.conn, dates)
    clock = stage_clock(
        merge.conn,
        {day: knowledge.of_plan(day, ahead, day in closed) for day in dates},
        "plan_clock",
    )
    within = plan.c.business_date.between(dates[0], dates[-1])
    given: dict[str, ColumnElement[Any]] = {n: rows.c[n] for n in _OWN if n in names}
    more = [name for name in extras if name in names]
    if more:
        given["covariates"] = covariates_json(rows, more)
    said = or_(*(rows.c[name].is_not(None) for name in names))
    on_clock = rows.join(clock, clock.c.business_date == rows.c.business_date)
    day, store, item = rows.c.business_date, rows.c.store_id, _item_of(rows)
    if merge.conn.execute(select(plan.c.load_id).where(within).limit(1)).first() is None:
        fresh = select(day, store, item, *given.values(), literal(merge.load_id), clock.c.known_at)
        added = append(
            merge.conn,
            plan,
            [*KEYS, *given, "load_id", "loaded_at"],
            fresh.select_from(on_clock).where(said),
        )
    else:
        known = newest(plan, KEYS, within)
        same_key = _same(known, [day, store, item])
        values = {name: _carried(name, given.get(name), known) for name in (*_OWN, "covariates")}
        query = (
            select(
                day,
                store,
                item,
                *values.values(),
                literal(merge.load_id),
                later(clock.c.known_at, known),
            )
            .select_from(on_clock.outerjoin(known, same_key))
            .where(said, differs(list(values.values()), [known.c[name] for name in values]))
        )
        added = append(merge.conn, plan, [*KEYS, *values, "load_id", "loaded_at"], query)
    clock.drop(merge.conn)
    return added


def _carried(name: str, given: ColumnElement[Any] | None, known: Any) -> ColumnElement[Any]:
    """The new value, or where there is none the one known before."""
    before: ColumnElement[Any] = known.c[name]
    if given is None:
        return before
    if name == "covariates":
        empty = func.jsonb_build_object(type_=JSONB)
        return func.nullif(
            func.coalesce(before, empty).op("||")(func.coalesce(given, empty)), empty, type_=JSONB
        )
    return func.coalesce(given, before)


def append_vintages(merge: Merge, staged: Table, names: list[str], extras: list[str]) -> int:
    """Append rows that say themselves when they became known; several may stand for one day.

    Other values for a moment that is loaded already are a correction, known from now on.
    """
    given: dict[str, ColumnElement[Any]] = {name: staged.c[name] for name in _OWN if name in names}
    more = [name for name in extras if name in names]
    if more:
        given["covariates"] = covariates_json(staged, more)
    now = literal(merge.knowledge.now, plan.c.loaded_at.type)
    known_at = func.least(staged.c.known_at, now)
    keys = [staged.c.business_date, staged.c.store_id, _item_of(staged)]
    dates = dates_of(merge.conn, staged)
    within = (
        plan.c.business_date.in_([])
        if not dates
        else plan.c.business_date.between(dates[0], dates[-1])
    )
    then = newest(plan, (*KEYS, "loaded_at"), within).alias("then")
    last = newest(plan, KEYS, within).alias("last")
    values = list(given.values())
    query = (
        select(
            *keys,
            *values,
            literal(merge.load_id),
            case((then.c.load_id.is_(None), known_at), else_=later(now, last)),
        )
        .select_from(
            staged.outerjoin(then, and_(_same(then, keys), then.c.loaded_at == known_at)).outerjoin(
                last, _same(last, keys)
            )
        )
        .where(
            then.c.load_id.is_(None)
            | (
                differs(values, [then.c[name] for name in given])
                & differs(values, [last.c[name] for name in given])
            )
        )
    )
    if merge.through is not None:
        query = query.where(staged.c.known_at <= merge.knowledge.ends(merge.through))
    target = [*KEYS, *given, "load_id", "loaded_at"]
    return append(merge.conn, plan, target, query)


def _same(known: FromClause, keys: list[ColumnElement[Any]]) -> ColumnElement[bool]:
    return and_(*(known.c[name] == key for name, key in zip(KEYS, keys, strict=True)))


def _known_by(day: date, ahead: timedelta, through: date | None) -> bool:
    """Whether a plan for ``day`` was known by the end of ``through``."""
    return through is None or day - ahead <= through
