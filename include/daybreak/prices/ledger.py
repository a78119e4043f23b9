"""The ledger of prices: which price was in force where and when, and since when that was known.

Append-only, on two clocks. ``valid_from``: from when on a price is in force, until the next one
of the same store and item is. ``known_at``: when that became known. Of entries with one
``valid_from`` the one known last holds, so a correction is a later entry, and what was known at a
moment stays what it was. Prices are whole minor units of their currency; NULL is "not on sale".

Writers of the ledger wait for each other until their transaction ends.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import (
    ColumnElement,
    Connection,
    FromClause,
    Select,
    and_,
    exists,
    func,
    insert,
    lateral,
    literal,
    or_,
    select,
    true,
    tuple_,
)
from sqlalchemy.dialects.postgresql import distinct_on

from daybreak.errors import ConfigError
from daybreak.ledger.states import State
from daybreak.prices.observed import LOCK, observe
from daybreak.warehouse.locks import hold
from daybreak.warehouse.tables import generation as generations
from daybreak.warehouse.tables import price, price_reading

__all__ = ["PriceInForce", "in_force", "observe", "put_in_force", "withdraw"]


class PriceInForce(NamedTuple):
    """The price of an item in a store. ``price``: minor units of ``currency``.

    ``valid_from``, ``known_at``: of the entry, aware. ``source``: ``observed``, ``published`` or
    ``withdrawn``. ``generation_id``: whose price it is, None where it was observed.
    """

    store_id: str
    item_id: str
    price: int
    currency: str
    decimals: int
    valid_from: datetime
    known_at: datetime
    source: str
    generation_id: int | None


def in_force(conn: Connection, at: datetime, known_by: datetime) -> list[PriceInForce]:
    """The prices in force at ``at`` by what was known at ``known_by`` (both aware).

    One row a store and item, in the bytewise order of both, but for what was not on sale then.
    """
    c = price.c
    series = (c.store_id.collate("C"), c.item_id.collate("C"))
    newest = (
        select(*(c[name] for name in PriceInForce._fields))
        .ext(distinct_on(*series))
        .where(c.valid_from <= _aware(at, "at"), c.known_at <= _aware(known_by, "known_by"))
        .order_by(*series, c.valid_from.desc(), c.known_at.desc(), c.entry_id.desc())
    )
    found = conn.execute(newest)
    return [PriceInForce(*row) for row in found if row.price is not None]


def put_in_force(
    conn: Connection,
    *,
    generation_id: int,
    rows: FromClause | Select[Any],
    at: datetime,
    now: datetime,
) -> int:
    """Append the prices of a generation that differ from those in force at ``at``; how many.

    ``rows``: one row a store and item, with the columns ``store_id``, ``item_id``, ``price``
    (minor units; NULL: not on sale), ``currency`` and ``decimals``. They are in force from ``at``
    on and known since ``now`` (both aware), and count for days of the time zone in which
    ``observe`` last read, before that for UTC's.

    Once a generation has put a price into force, it never changes it: again is harmless.
    """
    hold(conn, LOCK)
    given = rows.subquery() if isinstance(rows, Select) else rows
    ours = (price.c.store_id == given.c.store_id, price.c.item_id == given.c.item_id)
    held = lateral(_newest(*ours, price.c.valid_from <= _aware(at, "at")))
    zone = select(price_reading.c.timezone).order_by(price_reading.c.reading_id.desc()).limit(1)
    coming = (
        select(
            *(given.c[name] for name in ("store_id", "item_id", "price", "currency", "decimals")),
            literal(at).label("valid_from"),
            func.coalesce(zone.scalar_subquery(), "UTC").label("timezone"),
            literal(_aware(now, "now")).label("known_at"),
            literal("published").label("source"),
            literal(generation_id).label("generation_id"),
        )
        .select_from(given.outerjoin(held, true()))
        .where(
            _differ(given.c, held.c),
            ~exists().where(
                *ours, price.c.generation_id == generation_id, price.c.source == "published"
            ),
        )
        # Numbered in an order of their own, so that a replay numbers them alike.
        .order_by(given.c.store_id.collate("C"), given.c.item_id.collate("C"))
    )
    return _append(conn, coming)


def withdraw(conn: Connection, *, generation_id: int, now: datetime) -> int:
    """Append what was in force before a generation, where its price is still; how many.

    From ``now`` on (aware), or from when its price was to come: until then it was in force. What
    another generation had put that was rolled back itself is passed over. Where there was no price
    before, the item is not on sale any more. Again is harmless.
    """
    hold(conn, LOCK)
    own, earlier = price.alias("own"), price.alias("earlier")
    moment = func.greatest(_aware(now, "now"), own.c.valid_from)
    held = lateral(
        _newest(
            price.c.store_id == own.c.store_id,
            price.c.item_id == own.c.item_id,
            price.c.valid_from <= moment,
        )
    )
    rolled_back = exists().where(
        generations.c.generation_id == earlier.c.generation_id,
        generations.c.state == State.ROLLED_BACK,
    )
    before = lateral(
        select(earlier)
        .where(
            earlier.c.store_id == own.c.store_id,
            earlier.c.item_id == own.c.item_id,
            or_(
                earlier.c.valid_from < own.c.valid_from,
                and_(
                    earlier.c.valid_from == own.c.valid_from,
                    tuple_(earlier.c.known_at, earlier.c.entry_id)
                    < tuple_(own.c.known_at, own.c.entry_id),
                ),
            ),
            ~rolled_back,
        )
        .order_by(earlier.c.valid_from.desc(), earlier.c.known_at.desc(), earlier.c.entry_id.desc())
        .limit(1)
    )
    returning = (
        select(
            own.c.store_id,
            own.c.item_id,
            before.c.price,
            func.coalesce(before.c.currency, own.c.currency).label("currency"),
            func.coalesce(before.c.decimals, own.c.decimals).label("decimals"),
            moment.label("valid_from"),
            own.c.timezone,
            literal(now).label("known_at"),
            literal("withdrawn").label("source"),
            before.c.generation_id,
        )
        .select_from(own.join(held, true()).outerjoin(before, true()))
        .where(
            own.c.generation_id == generation_id,
            own.c.source == "published",
            held.c.generation_id == generation_id,
            _differ(before.c, held.c),
        )
        .order_by(own.c.entry_id)
    )
    return _append(conn, returning)


def _newest(*where: ColumnElement[bool]) -> Select[Any]:
    """The entry in force, of those of one store and item."""
    c = price.c
    order = (c.valid_from.desc(), c.known_at.desc(), c.entry_id.desc())
    return select(price).where(*where).order_by(*order).limit(1)


def _differ(one: Any, other: Any) -> ColumnElement[bool]:
    """Not the same price; none and "not on sale" are the same."""
    return or_(
        one.price.is_distinct_from(other.price),
        and_(one.price.is_not(None), one.currency != other.currency),
    )


def _append(conn: Connection, rows: Select[Any]) -> int:
    names = [column.name for column in rows.selected_columns]
    statement = insert(price).from_select(names, rows).execution_options(preserve_rowcount=True)
    return conn.execute(statement).rowcount


def _aware(moment: datetime, name: str) -> datetime:
    if moment.tzinfo is None:
        raise ConfigError(
            f"{name} {moment.isoformat()} has no time zone.",
            remedy="Give an aware datetime, such as 2026-01-02T02:00:00+00:00.",
            field=name,
        )
    return moment
