"""Prices as the sales show them, taken into the ledger.

A row of sales says what an item cost on a business date (in weeks: on each day of the week). In
the ledger a price holds until the next one, so what is appended are changes: a fact is news where
the ledger has another price in force as its day begins, and does not come to that price within the
day, as it does where a price was put in force at an hour of that day.

What was known when stays right too. A fact becomes known with its load (``loaded_at``). One that
is late, for a day not after the newest known one, changes what holds from that day on, and so says
that the next known day still had its own price: that entry is known since the same moment. Facts
are therefore taken in steps; between two loads with late facts all are one step.
"""

from __future__ import annotations

from datetime import date, datetime
from itertools import pairwise

from sqlalchemy import Connection, func, insert, select, text

from daybreak.facts.days import days_of_period
from daybreak.warehouse.locks import hold
from daybreak.warehouse.tables import price_reading

LOCK = "prices"
"""Of who writes to the ledger."""


def observe(
    conn: Connection,
    *,
    business_date: date,
    cutoff: datetime,
    currency: str,
    decimals: int,
    timezone: str,
) -> int:
    """Append the changes of prices in sales up to a business date, known by ``cutoff`` (aware).

    ``currency``, ``decimals``: in which the sales are, and its decimals (ISO 4217); prices are
    rounded to its minor unit, half away from zero. ``timezone``: in which business dates begin.

    Returns how many entries were appended. What an earlier call took in is not read again, so a
    call for an earlier date or cutoff appends nothing; the first one takes all there is. Rows
    without a price say nothing.
    """
    hold(conn, LOCK)
    newest = conn.execute(_NEWEST).one()
    # Never less on one clock than before: what was read is one block of both.
    through = max(business_date, newest.business_date or business_date)
    known_by = max(cutoff, newest.cutoff or cutoff)
    if (through, known_by) == (newest.business_date, newest.cutoff):
        return 0
    reading = {
        "read_date": newest.business_date,
        "read_cutoff": newest.cutoff,
        "through": through,
        "known_by": known_by,
        "currency": currency,
        "decimals": decimals,
        "timezone": timezone,
        "more_days": days_of_period(conn) - 1,
    }
    conn.execute(_TABLE)
    conn.execute(_FACTS, reading)
    conn.execute(text("ANALYZE pg_temp.price_fact"))
    bounds = [None, *conn.scalars(_LATE), None]
    entries = 0
    for first, before in pairwise(bounds):
        entries += conn.execute(_APPEND, reading | {"first": first, "before": before}).rowcount
    conn.execute(text("DROP TABLE pg_temp.price_fact"))
    conn.execute(
        insert(price_reading).values(
            business_date=through, cutoff=known_by, timezone=timezone, entries=entries
        )
    )
    return entries


_NEWEST = select(
    func.max(price_reading.c.business_date).label("business_date"),
    func.max(price_reading.c.cutoff).label("cutoff"),
)

_TABLE = text(
    """
    CREATE TEMP TABLE price_fact (
        store_id text, item_id text, business_date date, starts timestamptz, ends timestamptz,
        price bigint, known_at timestamptz, late boolean
    ) ON COMMIT DROP
    """
)

_FACTS = text(
    """
    INSERT INTO pg_temp.price_fact
    WITH news AS (
        SELECT DISTINCT ON (store_id, item_id, business_date, loaded_at)
            store_id, item_id, business_date, loaded_at,
            round(price::numeric * 10::numeric ^ CAST(:decimals AS int))::bigint AS price
        FROM raw.sales
        WHERE price IS NOT NULL
            AND business_date <= CAST(:through AS date)
            AND loaded_at <= CAST(:known_by AS timestamptz)
            AND (
                CAST(:read_date AS date) IS NULL
                OR business_date > CAST(:read_date AS date)
                OR loaded_at > CAST(:read_cutoff AS timestamptz)
            )
        ORDER BY store_id, item_id, business_date, loaded_at, load_id DESC
    ), day AS (
        SELECT business_date,
            ops.start_of_day(business_date - CAST(:more_days AS int), :timezone) AS starts,
            ops.start_of_day(business_date + 1, :timezone) AS ends
        FROM (SELECT DISTINCT business_date FROM news) AS days
    )
    SELECT store_id, item_id, business_date, starts, ends, price, loaded_at,
        coalesce(business_date <= CAST(:read_date AS date), false)
        -- Known after a fact of the same or a later day.
        OR loaded_at > min(loaded_at) OVER (
            PARTITION BY store_id, item_id ORDER BY business_date
            RANGE BETWEEN CURRENT ROW AND UNBOUNDED FOLLOWING
        )
    FROM news JOIN day USING (business_date)
    """
)

_LATE = text("SELECT DISTINCT known_at FROM pg_temp.price_fact WHERE late ORDER BY known_at")

_APPEND = text(
    """
    WITH fact AS MATERIALIZED (
        SELECT * FROM pg_temp.price_fact
        WHERE known_at >= coalesce(CAST(:first AS timestamptz), '-infinity')
            AND known_at < coalesce(CAST(:before AS timestamptz), 'infinity')
    ), shown AS MATERIALIZED (
        SELECT store_id, item_id, starts, ends, price, known_at FROM fact
        UNION ALL
        -- After a late fact the next known day keeps the price that it had.
        SELECT late.store_id, late.item_id,
            ops.start_of_day(next.business_date - CAST(:more_days AS int), :timezone),
            ops.start_of_day(next.business_date + 1, :timezone),
            next.price, late.known_at
        FROM fact AS late
        CROSS JOIN LATERAL (
            SELECT sale.business_date,
                round(sale.price::numeric * 10::numeric ^ CAST(:decimals AS int))::bigint AS price
            FROM raw.sales AS sale
            WHERE sale.store_id = late.store_id AND sale.item_id = late.item_id
                AND sale.business_date > late.business_date
                AND sale.business_date <= CAST(:through AS date)
                AND sale.loaded_at <= late.known_at
                AND sale.price IS NOT NULL
            ORDER BY sale.business_date, sale.loaded_at DESC, sale.load_id DESC
            LIMIT 1
        ) AS next
        WHERE late.late AND NOT EXISTS (
            SELECT FROM fact AS same
            WHERE same.store_id = late.store_id AND same.item_id = late.item_id
                AND same.business_date = next.business_date
        )
    ), held AS MATERIALIZED (
        -- What the ledger says of these days.
        SELECT entry.*
        FROM (
            SELECT store_id, item_id, min(starts) AS since, max(ends) AS until
            FROM shown GROUP BY store_id, item_id
        ) AS span
        CROSS JOIN LATERAL (
            SELECT max(head.valid_from) AS valid_from
            FROM ops.price AS head
            WHERE head.store_id = span.store_id AND head.item_id = span.item_id
                AND head.valid_from <= span.since
        ) AS first
        CROSS JOIN LATERAL (
            SELECT DISTINCT ON (valid_from) store_id, item_id, valid_from, price, currency
            FROM ops.price AS one
            WHERE one.store_id = span.store_id AND one.item_id = span.item_id
                AND one.valid_from >= coalesce(first.valid_from, '-infinity')
                AND one.valid_from < span.until
            ORDER BY valid_from, known_at DESC, entry_id DESC
        ) AS entry
    ), line AS (
        SELECT *,
            lag(price) OVER earlier AS price_before, lag(currency) OVER earlier AS currency_before
        FROM (
            SELECT store_id, item_id, starts AS moment, true AS shown, ends, price,
                CAST(:currency AS text) AS currency, known_at
            FROM shown
            UNION ALL
            SELECT store_id, item_id, valid_from, false, NULL, price, currency, NULL FROM held
        ) AS both_of_them
        WINDOW earlier AS (PARTITION BY store_id, item_id ORDER BY moment, shown)
    )
    INSERT INTO ops.price (
        store_id, item_id, price, currency, decimals, valid_from, timezone, known_at, source
    )
    SELECT store_id, item_id, price, currency, CAST(:decimals AS int), moment, :timezone,
        known_at, 'observed'
    FROM line
    WHERE shown
        AND (price, currency) IS DISTINCT FROM (price_before, currency_before)
        AND NOT EXISTS (
            SELECT FROM held AS later
            WHERE later.store_id = line.store_id AND later.item_id = line.item_id
                AND later.valid_from > line.moment AND later.valid_from < line.ends
                AND later.price = line.price AND later.currency = line.currency
        )
    ORDER BY moment, store_id COLLATE "C", item_id COLLATE "C"
    """
)
