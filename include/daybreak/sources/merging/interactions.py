"""Interactions have no key: a customer may buy the same thing twice in one minute.

So a file that covers known dates again is compared as a bag of rows: what it has more of is
appended; what it has less of stays, because a fact that was known cannot become unknown. Only
what happened is compared. A basket that a later reading of the file adds, or another weight of
the same kind, is no new event.
"""

from __future__ import annotations

from datetime import date
from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    ColumnElement,
    Date,
    Double,
    Select,
    Subquery,
    Table,
    case,
    cast,
    false,
    func,
    literal,
    null,
    select,
    true,
    union_all,
)

from daybreak.sources.contract.sections import Interactions
from daybreak.sources.merging.shared import Merge, Merged, append, closed_dates
from daybreak.sources.merging.staging import ROW, stage_clock
from daybreak.warehouse.tables import interaction

_EVENT = ("event_at", "user_id", "item_id", "kind", "quantity", "price")
_BASKET = "basket_id"
_VALUES = (*_EVENT, _BASKET)


def merge_interactions(merge: Merge, section: Interactions, staged: Table) -> Merged:
    """Append the rows of ``staged`` that the warehouse does not hold yet."""
    zone = literal(str(merge.knowledge.zone))
    day = cast(func.timezone(zone, staged.c.event_at), Date)
    dates: list[date] = list(merge.conn.scalars(select(day).distinct().order_by(day)))
    if not dates:
        return Merged(0)
    closed = closed_dates(merge.conn, dates)
    clock = stage_clock(merge.conn, {d: merge.knowledge.of_fact(d, d in closed) for d in dates})
    rows = _new_rows(merge, staged)
    local = cast(func.timezone(zone, rows.c.event_at), Date)
    query = select(
        *(rows.c[name] for name in _VALUES),
        clock.c.business_date,
        _weight(section, rows.c.kind),
        literal(merge.load_id),
        clock.c.known_at,
    ).select_from(rows.join(clock, clock.c.business_date == local))
    target = [*_VALUES, "business_date", "weight", "load_id", "loaded_at"]
    loaded = append(merge.conn, interaction, target, query)
    return Merged(loaded, 0, dates[0], dates[-1])


def _new_rows(merge: Merge, staged: Table) -> Subquery:
    """The rows of ``staged`` beyond those that the warehouse holds of the same event."""
    given = [staged.c[name] if name in staged.c else _absent(name) for name in _VALUES]
    span = merge.conn.execute(
        select(func.min(staged.c.event_at), func.max(staged.c.event_at))
    ).one()
    within = interaction.c.event_at.between(*span)
    if not merge.conn.execute(select(interaction.c.load_id).where(within).limit(1)).first():
        return select(*given).subquery()
    known = select(
        *(interaction.c[name] for name in _VALUES),
        cast(null(), BigInteger).label(ROW),
        true().label("_held"),
    ).where(within)
    both = union_all(known, select(*given, staged.c[ROW], false().label("_held"))).subquery()
    return _beyond(both).subquery()


def _beyond(both: Subquery) -> Select[Any]:
    """Of n copies of an event in the file and k in the warehouse, n - k of the file's.

    Copies in a basket in which the warehouse holds the event already are taken for those that
    it holds. Windows, not a join: they let null equal null without comparing each with each.
    """
    event = [both.c[name] for name in _EVENT]
    basket, row = both.c[_BASKET], both.c[ROW]
    held: ColumnElement[bool] = both.c["_held"]
    place = func.row_number().over(partition_by=[*event, basket, held], order_by=row)
    held_in_basket = func.count().filter(held).over(partition_by=[*event, basket])
    counted = select(
        *both.c,
        func.count().filter(held).over(partition_by=event).label("_copies"),
        cast(place <= held_in_basket, Boolean).label("_matched"),
    ).subquery()
    order = [counted.c["_matched"].desc(), counted.c[_BASKET], counted.c[ROW]]
    parts = [*(counted.c[name] for name in _EVENT), counted.c["_held"]]
    ranked = select(
        *counted.c, func.row_number().over(partition_by=parts, order_by=order).label("_rank")
    ).subquery()
    return select(*(ranked.c[name] for name in _VALUES)).where(
        ~ranked.c["_held"], ranked.c["_rank"] > ranked.c["_copies"]
    )


def _weight(section: Interactions, kind: ColumnElement[str]) -> ColumnElement[float]:
    whens = {name: literal(weight, Double) for name, weight in section.weight_of.items()}
    return case(whens, value=kind)  # no other kind was staged


def _absent(name: str) -> ColumnElement[Any]:
    return cast(null(), interaction.c[name].type).label(name)
