"""From published proposals to the ledger of prices."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import (
    BigInteger,
    Connection,
    Select,
    cast,
    exists,
    func,
    lateral,
    literal,
    or_,
    select,
    true,
    union_all,
)

from daybreak.clock import start_of_day
from daybreak.ledger.states import Generation, of_day
from daybreak.models.pricing.tables import scores
from daybreak.prices.ledger import end_moments, put_in_force
from daybreak.prices.money import decimals
from daybreak.prices.rulebook import read_book
from daybreak.warehouse.tables import generation as generations
from daybreak.warehouse.tables import price as ledger
from daybreak.warehouse.tables import published

_COLUMNS = ("price", "currency", "decimals")


def is_newest(conn: Connection, generation: Generation) -> bool:
    """Whether nothing is published of a later business date."""
    newest = conn.scalar(
        select(func.max(published.c.business_date)).where(published.c.model == generation.model)
    )
    return newest is None or newest <= generation.business_date


def put_proposals_in_force(conn: Connection, generation: Generation, now: datetime) -> int:
    """Append the proposals of a generation to the ledger; how many.

    Those that change a price; and where an earlier generation of the day changed one that this one
    keeps, what was in force before that. Prices that an earlier one moved during the day end.
    """
    book = read_book(conn, generation.cutoff)
    at = max(now, start_of_day(generation.business_date + timedelta(days=1), book.timezone))
    end_moments(conn, generation_id=generation.generation_id, at=at, now=now)
    own = (
        scores.c.business_date == generation.business_date,
        scores.c.generation_id == generation.generation_id,
    )
    changed = select(
        scores.c.store_id,
        scores.c.item_id,
        cast(scores.c.price, BigInteger).label("price"),
        literal(book.rules.currency).label("currency"),
        literal(decimals(book.rules.currency)).label("decimals"),
    ).where(*own, scores.c.price != scores.c.current_price)
    return put_in_force(
        conn,
        generation_id=generation.generation_id,
        rows=union_all(changed, _kept_again(generation, at).where(*own)).subquery(),
        at=at,
        now=now,
    )


def _kept_again(generation: Generation, at: datetime) -> Select[Any]:
    """What was in force at ``at`` but for this business date, of prices that are kept."""
    of_series = ledger.c.store_id == scores.c.store_id, ledger.c.item_id == scores.c.item_id
    this_day = select(generations.c.generation_id).where(
        of_day(generation.model, generation.business_date)
    )
    before = lateral(
        select(*(ledger.c[name] for name in _COLUMNS))
        .where(
            *of_series,
            ledger.c.valid_from <= at,
            or_(ledger.c.generation_id.is_(None), ledger.c.generation_id.not_in(this_day)),
        )
        .order_by(ledger.c.valid_from.desc(), ledger.c.known_at.desc(), ledger.c.entry_id.desc())
        .limit(1)
    )
    return (
        select(scores.c.store_id, scores.c.item_id, *(before.c[name] for name in _COLUMNS))
        .select_from(scores.join(before, true()))
        .where(
            scores.c.price == scores.c.current_price,
            exists().where(*of_series, ledger.c.generation_id.in_(this_day)),
        )
    )
