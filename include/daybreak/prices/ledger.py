"""The ledger of prices: which price was in force where and when, and since when that was known.

Append-only, on two clocks. ``valid_from``: from when on a price is in force, until the next one
of the same store and item is. ``known_at``: when that became known. Of entries with one
``valid_from`` the one known last holds, so a correction is a later entry, and what was known at a
moment stays what it was. Prices are whole minor units of their currency; NULL is "not on sale".

A price may move during the day (`daybreak.prices.moments`): then its end is in the ledger too, as
an entry of what was in force before, from the end of the day on. Whatever ends it earlier says the
same of that later moment.

Writers of the ledger wait for each other until their transaction ends.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, NamedTuple

from sqlalchemy import (
    ColumnElement,
    Connection,
    FromClause,
    Select,
    and_,
    case,
    exists,
    func,
    insert,
    lateral,
    literal,
    or_,
    select,
    true,
)
from sqlalchemy.dialects.postgresql import distinct_on

from daybreak.errors import ConfigError
from daybreak.ledger.states import State
from daybreak.prices.observed import LOCK, observe
from daybreak.warehouse.locks import hold
from daybreak.warehouse.tables import generation as generations
from daybreak.warehouse.tables import price, price_moment, price_reading

__all__ = [
    "PriceInForce",
    "end_moments",
    "in_force",
    "moved_prices",
    "observe",
    "put_in_force",
    "withdraw",
]

MOMENTS = "prices.moments"
"""Shared by who moves prices during the day (revision 0020), exclusive of who ends that."""
_NEXT = timedelta(microseconds=1)


class PriceInForce(NamedTuple):
    """The price of an item in a store. ``price``: minor units of ``currency``.

    ``valid_from``, ``known_at``: of the entry, aware. ``source``: ``observed``, ``published``,
    ``withdrawn`` or ``live``. ``generation_id``: whose price it is, None where it was observed.
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
    _hold(conn)
    given = rows.subquery() if isinstance(rows, Select) else rows
    ours = (price.c.store_id == given.c.store_id, price.c.item_id == given.c.item_id)
    moments = _from_then_on(literal(_aware(at, "at")), *ours)
    held = lateral(_newest(*ours, price.c.valid_from <= moments.c.moment))
    zone = select(price_reading.c.timezone).order_by(price_reading.c.reading_id.desc()).limit(1)
    # What it stands beside may be known since a moment ago by the clock of another machine.
    after = func.greatest(
        literal(_aware(now, "now")),
        case((held.c.valid_from == moments.c.moment, held.c.known_at + literal(_NEXT))),
    )
    coming = (
        select(
            *(given.c[name] for name in ("store_id", "item_id", "price", "currency", "decimals")),
            moments.c.moment.label("valid_from"),
            func.coalesce(zone.scalar_subquery(), "UTC").label("timezone"),
            after.label("known_at"),
            literal("published").label("source"),
            literal(generation_id).label("generation_id"),
        )
        .select_from(given.join(moments, true()).outerjoin(held, true()))
        .where(
            _differ(given.c, held.c),
            ~exists().where(
                *ours, price.c.generation_id == generation_id, price.c.source == "published"
            ),
        )
        # Numbered in an order of their own, so that a replay numbers them alike.
        .order_by(given.c.store_id.collate("C"), given.c.item_id.collate("C"), moments.c.moment)
    )
    return _append(conn, coming)


class Moved(NamedTuple):
    """A price that moved during a day, between ``lowest`` and ``highest``, and what it was to go
    ``back`` to; minor units."""

    lowest: int
    highest: int
    back: int


def moved_prices(
    conn: Connection, begins: datetime, ends: datetime, known_by: datetime
) -> dict[tuple[str, str], Moved]:
    """What moved on a day from ``begins`` up to ``ends``, by store and item, by what was known at
    ``known_by`` (all aware).

    What a night put in force from the end of that day on is left out: it is asked for to make that.
    """
    c = price.c
    known = c.known_at <= _aware(known_by, "known_by")
    of_day = c.valid_from >= _aware(begins, "begins"), c.valid_from < _aware(ends, "ends")
    lowest, highest = func.min(c.price).label("lowest"), func.max(c.price).label("highest")
    moved = select(c.store_id, c.item_id, lowest, highest).where(c.source == "live", *of_day, known)
    series = moved.group_by(c.store_id, c.item_id).subquery()
    held = lateral(
        _newest(
            c.store_id == series.c.store_id,
            c.item_id == series.c.item_id,
            c.valid_from <= ends,
            or_(c.valid_from < ends, c.source != "published"),
            known,
        )
    )
    query = select(series, held.c.price).select_from(series.join(held, true()))
    return {
        (store, item): Moved(min(low, back), max(high, back), back)
        for store, item, low, high, back in conn.execute(query.where(held.c.price.is_not(None)))
    }


def end_moments(conn: Connection, *, generation_id: int, at: datetime, now: datetime) -> int:
    """Append what was in force before prices that other generations than this one moved during the
    day, where such a price is in force at ``at``: from then on (both aware); how many."""
    _hold(conn)
    own = select(price_moment.c.store_id, price_moment.c.item_id).distinct()
    series = own.where(price_moment.c.generation_id != generation_id).subquery()
    ours = (price.c.store_id == series.c.store_id, price.c.item_id == series.c.item_id)
    then = price.c.valid_from <= _aware(at, "at")
    held = lateral(_newest(*ours, then))
    before = lateral(_newest(*ours, then, price.c.source != "live"))
    ended = (
        select(
            series.c.store_id,
            series.c.item_id,
            before.c.price,
            before.c.currency,
            before.c.decimals,
            literal(at).label("valid_from"),
            held.c.timezone,
            func.greatest(literal(_aware(now, "now")), held.c.known_at + literal(_NEXT)).label(
                "known_at"
            ),
            literal("live").label("source"),
            held.c.generation_id,
        )
        .select_from(series.join(held, true()).join(before, true()))
        .where(
            held.c.source == "live",
            held.c.generation_id != generation_id,
            _differ(before.c, held.c),
        )
        .order_by(series.c.store_id.collate("C"), series.c.item_id.collate("C"))
    )
    return _append(conn, ended)


def withdraw(conn: Connection, *, generation_id: int, now: datetime) -> int:
    """Append what was in force before a generation, where its price is still; how many.

    From ``now`` on (aware), or from when its price was to come: until then it was in force. What
    another generation had put that was rolled back itself is passed over. Where there was no price
    before, the item is not on sale any more. Again is harmless.
    """
    _hold(conn)
    earlier = price.alias("earlier")
    # Also what it moved during the day, and where that was to end.
    moment = func.greatest(_aware(now, "now"), price.c.valid_from)
    of_it = price.c.generation_id == generation_id, price.c.source.in_(["published", "live"])
    columns = price.c.store_id, price.c.item_id, moment.label("moment")
    own = select(*columns).where(*of_it).distinct().subquery("own")
    ours = (price.c.store_id == own.c.store_id, price.c.item_id == own.c.item_id)
    held = lateral(_newest(*ours, price.c.valid_from <= own.c.moment))
    rolled_back = exists().where(
        generations.c.generation_id == earlier.c.generation_id,
        generations.c.state == State.ROLLED_BACK,
    )
    before = lateral(
        select(earlier)
        .where(
            earlier.c.store_id == own.c.store_id,
            earlier.c.item_id == own.c.item_id,
            earlier.c.valid_from <= own.c.moment,
            earlier.c.generation_id.is_distinct_from(generation_id),
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
            func.coalesce(before.c.currency, held.c.currency).label("currency"),
            func.coalesce(before.c.decimals, held.c.decimals).label("decimals"),
            own.c.moment.label("valid_from"),
            held.c.timezone,
            literal(now).label("known_at"),
            literal("withdrawn").label("source"),
            before.c.generation_id,
        )
        .select_from(own.join(held, true()).outerjoin(before, true()))
        .where(held.c.generation_id == generation_id, _differ(before.c, held.c))
        .order_by(own.c.store_id.collate("C"), own.c.item_id.collate("C"), own.c.moment)
    )
    return _append(conn, returning)


def _hold(conn: Connection) -> None:
    """Wait for other writers, and for who moves prices of this moment."""
    hold(conn, LOCK)
    hold(conn, MOMENTS)


def _from_then_on(at: ColumnElement[datetime], *ours: ColumnElement[bool]) -> FromClause:
    """A moment, and each later one at which a price that moved during the day was to end."""
    later = select(price.c.valid_from).where(
        *ours, price.c.source == "live", price.c.valid_from > at
    )
    return select(at.label("moment")).union(later).lateral()


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


def _append(conn: Connection, rows: Select[*tuple[Any, ...]]) -> int:
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
