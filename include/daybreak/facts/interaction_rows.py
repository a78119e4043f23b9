"""The queries for interactions. Each of them is bounded on both clocks, here and only here."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import (
    ARRAY,
    BigInteger,
    ColumnElement,
    Connection,
    FromClause,
    Integer,
    Select,
    Text,
    case,
    cast,
    collate,
    column,
    func,
    literal_column,
    or_,
    select,
)

from daybreak.facts.events import PURCHASE
from daybreak.facts.rows import Bounds, among
from daybreak.warehouse.packed import Field, Packing, number
from daybreak.warehouse.tables import interaction

Names = NDArray[np.object_]

_C = interaction.c
_IS_KNOWN = _C.user_id != ""
"""An empty id is the key of the default list, not a user."""

_IS_UNKNOWN = or_(_C.user_id.is_(None), _C.user_id == "")
_PLACE: ColumnElement[int] = literal_column("catalogue.place", BigInteger)


def _hash(text: ColumnElement[Any], seed: int) -> ColumnElement[int]:
    """A hash of 64 bits, where names are only compared."""
    return func.hashtextextended(text, seed, type_=BigInteger)


# 0 is free for no basket: the one in 2^64 that hashes to it is taken for its neighbour.
_BASKET = func.coalesce(func.nullif(_hash(_C.basket_id, 0), 0), 1, type_=BigInteger)

PACKING = Packing(
    {
        "item": Field(cast(_PLACE - 1, Integer), "i4"),
        "day": Field(_C.business_date, "M8[D]"),
        "at": Field(_C.event_at, "M8[us]"),
        "basket": Field(
            case((_C.basket_id.is_not(None), _BASKET), else_=cast(0, BigInteger)), "i8"
        ),
        "weight": Field(_C.weight, "f8"),
        "quantity": number(_C.quantity),
        "price": number(_C.price),
    }
)

PURCHASES = Packing(
    {
        "day": Field(_C.business_date, "M8[D]"),
        "buyer": Field(
            case(
                (_IS_KNOWN, _hash(_C.user_id, 0)),
                (_C.basket_id.is_not(None), _hash(_C.basket_id, 1)),
                else_=_hash(cast(_C.event_at, Text), 2),
            ),
            "i8",
        ),
        "quantity": number(_C.quantity),
        "price": number(_C.price),
    }
)
"""Who bought: the user, else the basket, else the moment."""

EPOCH = date(1970, 1, 1)
DAYS_PER_GROUP = 28
"""Of purchases packed together. 2 M of a year came in 5 s on a busy machine; by day, which packs
fewer still, it was 10 s, and by item alone, which packs without a bound, 3 s."""

WORK_MEMORY = "64MB"


def allow_memory(conn: Connection) -> None:
    """More memory for sorts and hashes of the server, until this transaction ends."""
    conn.execute(select(func.set_config("work_mem", WORK_MEMORY, True)))


def is_anything_visible(conn: Connection, bounds: Bounds) -> bool:
    """Whether there is one row to read."""
    query = select(_C.load_id).where(*bounds.on(interaction)).limit(1)
    return conn.execute(query).first() is not None


def read_item_ids(conn: Connection, bounds: Bounds) -> list[str]:
    """The items of the visible rows, in bytewise order."""
    query = select(_C.item_id).where(*bounds.on(interaction)).distinct()
    return sorted(conn.scalars(query))


def by_user(bounds: Bounds, item_ids: Names, users: Sequence[str] | None = None) -> Select[Any]:
    """Known users in bytewise order with their packed events (``PACKING``); None: all of them."""
    # Grouped as it is ordered, so that one sort does for both.
    user = collate(_C.user_id, "C")
    whose = _IS_KNOWN if users is None else among(_C.user_id, users)
    return _packed(bounds, item_ids, user, whose).order_by(user)


def select_users(bounds: Bounds) -> Select[Any]:
    """The known users of the visible rows, in bytewise order."""
    users = select(_C.user_id).where(*bounds.on(interaction), _IS_KNOWN).distinct().subquery()
    return select(users.c.user_id).order_by(collate(users.c.user_id, "C"))


def by_unknown_users(bounds: Bounds, item_ids: Names) -> Select[Any]:
    """The packed events of unknown users: by day, because PostgreSQL's values end at 1 GB."""
    return _packed(bounds, item_ids, cast(_C.business_date, Text), _IS_UNKNOWN)


def by_item_and_span(bounds: Bounds) -> Select[Any]:
    """Items, in any order, with what was bought of them (``PURCHASES``) in a span of whole days.

    An item comes once a span, so that none is so popular that its years have to fit into memory.
    """
    columns: list[ColumnElement[Any]] = [_C.item_id, PURCHASES.aggregate()]
    visible = [*bounds.on(interaction), _C.weight >= PURCHASE]
    span = cast(_C.business_date - EPOCH, Integer) // DAYS_PER_GROUP
    return select(*columns).where(*visible).group_by(_C.item_id, span)


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
    """Items with their place, from 1.

    Grouped, though each name stands once: PostgreSQL then knows that it does, and hashes the few
    items where it would sort the many events.
    """
    names = func.unnest(cast(item_ids.tolist(), ARRAY(Text)))
    table = names.table_valued(column("item_id", Text), with_ordinality="place")
    listed = table.render_derived(name="listed")
    place = func.min(listed.c.place, type_=BigInteger).label("place")
    return select(listed.c.item_id, place).group_by(listed.c.item_id).subquery("catalogue")
