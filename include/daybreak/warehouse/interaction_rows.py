"""The queries for interactions. Each of them is bounded on both clocks, here and only here."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import (
    ARRAY,
    BigInteger,
    ColumnElement,
    Connection,
    Double,
    FromClause,
    Integer,
    Numeric,
    Select,
    Text,
    and_,
    case,
    cast,
    collate,
    column,
    func,
    or_,
    select,
)

from daybreak.warehouse.events import PURCHASE
from daybreak.warehouse.fact_rows import Bounds
from daybreak.warehouse.packed import Field, Packing, number
from daybreak.warehouse.tables import interaction

Names = NDArray[np.object_]

_C = interaction.c
_IS_KNOWN = _C.user_id != ""
"""An empty id is the key of the default list, so nobody's."""

_IS_UNKNOWN = or_(_C.user_id.is_(None), _C.user_id == "")
_PLACE = column("place", BigInteger)

# Baskets only have to be told apart, and a hash does that without a table of them. 0 is free for
# no basket: the one in 2^64 that hashes to it is taken for its neighbour.
_BASKET = func.hashtextextended(_C.basket_id, 0, type_=BigInteger)
_BASKET_NUMBER = case(
    (_C.basket_id.is_(None), 0),
    else_=func.coalesce(func.nullif(_BASKET, 0), 1, type_=BigInteger),
)

PACKING = Packing(
    {
        "item": Field(cast(_PLACE - 1, Integer), "i4"),
        "day": Field(_C.business_date, "M8[D]"),
        "at": Field(_C.event_at, "M8[us]"),
        "basket": Field(cast(_BASKET_NUMBER, BigInteger), "i8"),
        "weight": Field(_C.weight, "f8"),
        "quantity": number(_C.quantity),
        "price": number(_C.price),
    }
)

ITEM_DAY = np.dtype(
    [
        ("item", "i4"),
        ("day", "M8[D]"),
        ("events", "i8"),
        ("buyers", "i8"),
        ("quantity", "f8"),
        ("spend", "f8"),
    ]
)


def is_anything_visible(conn: Connection, bounds: Bounds) -> bool:
    """Whether there is one row to read."""
    query = select(_C.load_id).where(*bounds.on(interaction)).limit(1)
    return conn.execute(query).first() is not None


def read_item_ids(conn: Connection, bounds: Bounds) -> list[str]:
    """The items of the visible rows, in bytewise order."""
    query = select(_C.item_id).where(*bounds.on(interaction)).distinct()
    return sorted(conn.scalars(query))


def by_user(bounds: Bounds, item_ids: Names) -> Select[Any]:
    """Known users in bytewise order with their packed events (``PACKING``)."""
    # Grouped as it is ordered, so that one sort does for both.
    user = collate(_C.user_id, "C")
    return _packed(bounds, item_ids, user, _IS_KNOWN).order_by(user)


def by_unknown_users(bounds: Bounds, item_ids: Names) -> Select[Any]:
    """The packed events of nobody known: by day, because PostgreSQL's values end at 1 GB."""
    return _packed(bounds, item_ids, cast(_C.business_date, Text), _IS_UNKNOWN)


def by_item_and_day(bounds: Bounds, item_ids: Names) -> Select[Any]:
    """What was bought of each item on each day, as ``ITEM_DAY`` says.

    Buyers are known users, and baskets (or, without one, moments) of unknown ones. Sums are of
    ``numeric``: exact, so that they do not depend on the order of the rows.
    """
    catalogue = _catalogue(item_ids)
    is_priced = and_(_C.price.is_not(None), _C.quantity.is_not(None))
    quantity, price = cast(_C.quantity, Numeric), cast(_C.price, Numeric)
    visits = (
        select(
            cast(catalogue.c.place - 1, Integer).label("item"),
            _C.business_date.label("day"),
            func.count().label("events"),
            func.sum(quantity).filter(is_priced).label("quantity"),
            func.sum(quantity * price).filter(is_priced).label("spend"),
        )
        .select_from(interaction.join(catalogue, catalogue.c.item_id == _C.item_id))
        .where(*bounds.on(interaction), _C.weight >= PURCHASE)
        .group_by(catalogue.c.place, _C.business_date, *_buyer())
        .subquery()
    )
    v = visits.c
    return select(
        v.item,
        v.day,
        cast(func.sum(v.events), BigInteger).label("events"),
        func.count().label("buyers"),
        cast(func.coalesce(func.sum(v.quantity), 0), Double).label("quantity"),
        cast(func.coalesce(func.sum(v.spend), 0), Double).label("spend"),
    ).group_by(v.item, v.day)


def _buyer() -> tuple[ColumnElement[Any], ColumnElement[Any], ColumnElement[Any]]:
    """Who bought: the user; else the basket; else whoever was there at that moment."""
    known = func.nullif(_C.user_id, "")
    basket = case((known.is_(None), _C.basket_id))
    moment = case((and_(known.is_(None), _C.basket_id.is_(None)), _C.event_at))
    return known, basket, moment


def _packed(
    bounds: Bounds,
    item_ids: Names,
    key: ColumnElement[str],
    whose: ColumnElement[bool],
) -> Select[Any]:
    catalogue = _catalogue(item_ids)
    columns: list[ColumnElement[Any]] = [key, PACKING.aggregate()]
    return (
        select(*columns)
        .select_from(interaction.join(catalogue, catalogue.c.item_id == _C.item_id))
        .where(*bounds.on(interaction), whose)
        .group_by(key)
    )


def _catalogue(item_ids: Names) -> FromClause:
    """Items with their place, from 1."""
    names = func.unnest(cast(item_ids.tolist(), ARRAY(Text)))
    table = names.table_valued(column("item_id", Text), with_ordinality="place")
    return table.render_derived(name="catalogue")
