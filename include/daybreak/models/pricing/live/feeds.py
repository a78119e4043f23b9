"""What streams say of prices: read in one statement, of a log that does not change any more."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from psycopg.rows import TupleRow
from sqlalchemy import Connection, func, select

from daybreak.prices.live import Live, LiveCompetitors, LiveSales
from daybreak.prices.money import MOST_PRICE, decimals
from daybreak.signals.entries import AHEAD
from daybreak.signals.stream import Stream, read_stream
from daybreak.warehouse.engine import driver_of

_LOG, _SALE, _STORE, _ASKED, _KEPT = range(5)
"""Kinds of rows, as the statement numbers them."""


class Sale(NamedTuple):
    """``at``: from when on it counts, which is when it had happened and was known. ``units``: in
    the smallest unit of its stream."""

    at: datetime
    units: int


class Seen(NamedTuple):
    """A competitor's price. ``event_at``: when it was seen; ``known_at``: and known here.
    ``price``: minor units. ``here``: of this store alone."""

    event_at: datetime
    sequence: int
    known_at: datetime
    price: int
    competitor: str
    here: bool


@dataclass
class Facts:
    """Of one price. ``scale``: how many of what sales count in make one unit. ``fresh``: at which
    moments its store sold something lately. ``kept``: changes of the day that are kept, by slot."""

    scale: int = 1
    sales: list[Sale] = field(default_factory=list)
    fresh: frozenset[int] = frozenset()
    asked: list[Seen] = field(default_factory=list)
    kept: dict[datetime, int] = field(default_factory=dict)


class Feeds:
    """The streams that rules name, as the log has them."""

    def __init__(self, conn: Connection, live: Live, currency: str) -> None:
        """Raises ``NotFound`` for a stream that is not declared."""
        self._decimals = decimals(currency)
        self._streams = {name: read_stream(conn, feed.stream) for name, feed in live.feeds.items()}
        self._live = live
        counted = live.sales is not None and live.sales.units is not None
        self._scale = self._streams["sales"].scale if counted else 1
        self._statement = self._written()

    def read(
        self,
        conn: Connection,
        prices: Sequence[tuple[str, str]],
        day_begins: datetime,
        moments: Sequence[datetime],
        generation_id: int,
    ) -> list[Facts]:
        """What is known of prices (store, item) by the last of ``moments``, which has passed.

        Of a stream that is not live nothing is: nobody can rely on what its log lacks. Each
        statement is to be a transaction of its own: a log is sealed for a moment only.
        """
        bound = moments[-1]
        sales, competitors = self._live.sales, self._live.competitors
        values: dict[str, Any] = {
            "stores": [store for store, _ in prices],
            "items": [item for _, item in prices],
            "streams": [stream.name for stream in self._streams.values()],
            "day": day_begins,
            "moments": list(moments),
            "known_by": bound,
            "ahead": AHEAD,
            "generation": generation_id,
            "sales": sales and sales.stream,
            "fresh": timedelta(minutes=sales.newest_minutes if sales else 0),
            "competitors": competitors and competitors.stream,
            "newest": timedelta(minutes=competitors.newest_minutes if competitors else 0),
        }
        rows = self._asked(conn, values)
        behind = [
            name for kind, _, name, mark, *_ in rows if kind == _LOG and (not mark or mark < bound)
        ]
        if behind:
            for name in behind:
                conn.execute(select(func.ops.seal_stream(name, bound)))
            conn.commit()
            rows = self._asked(conn, values)
        return self._facts(prices, rows)

    def _asked(self, conn: Connection, values: Mapping[str, Any]) -> list[TupleRow]:
        cursor = driver_of(conn).cursor(binary=True)
        cursor.execute(self._statement, values)
        return cursor.fetchall()

    def _facts(self, prices: Sequence[tuple[str, str]], rows: Sequence[TupleRow]) -> list[Facts]:
        found = [Facts(self._scale) for _ in prices]
        fresh: dict[str, set[int]] = {}
        for kind, n, name, at, known, sequence, value, here in rows:
            if kind == _SALE:
                found[n - 1].sales.append(Sale(max(at, known), value))
            elif kind == _STORE:
                fresh.setdefault(name, set()).add(value - 1)
            elif kind == _ASKED:
                price = self._minor(value)
                if 0 < price < MOST_PRICE:  # what no price can be says nothing
                    found[n - 1].asked.append(Seen(at, sequence, known, price, name, here))
            elif kind == _KEPT:
                found[n - 1].kept[at] = value
        for (store, _), facts in zip(prices, found, strict=True):
            facts.fresh = frozenset(fresh.get(store, ()))
        return found

    def _minor(self, amount: int) -> int:
        """Of an amount in the smallest unit of its stream, half to even."""
        more = self._streams["competitors"].decimals - self._decimals
        if more <= 0:
            return int(amount * 10**-more)
        whole, rest = divmod(amount, 10**more)
        half = 5 * 10 ** (more - 1)
        return int(whole + (rest > half or (rest == half and whole % 2 == 1)))

    def _written(self) -> bytes:
        """The statement. All names in it are those of columns and of this module."""
        arms = [_LOG_ARM]
        sales, competitors = self._live.sales, self._live.competitors
        if sales:
            arms.append(_sales_arms(self._streams["sales"], sales))
        if competitors:
            arms.append(_competitors_arm(self._streams["competitors"], competitors))
        arms.append(_KEPT_ARM)
        return (_WITH + " UNION ALL ".join(arms)).encode()


_WITH = """
    WITH asked AS MATERIALIZED (
        SELECT * FROM unnest(%(stores)s::text[], %(items)s::text[])
            WITH ORDINALITY AS asked (store, item, n)
    ), log AS MATERIALIZED (
        SELECT stream, watermark FROM ops.stream WHERE live AND stream = ANY (%(streams)s::text[])
    )
    """
_LOG_ARM = """
    SELECT 0::smallint, 0::bigint, stream, watermark, NULL::timestamptz, 0::bigint, 0::bigint, true
    FROM log
    """
_SALES_ARM = """
    SELECT 1::smallint, n, ''::text, event_at, loaded_at, sequence, units, true
    FROM asked CROSS JOIN LATERAL (
        SELECT event_at, loaded_at, sequence, {units} AS units FROM raw.event
        WHERE stream = %(sales)s AND {item} = asked.item AND {store} = asked.store
            AND event_at >= %(day)s::timestamptz AND event_at <= %(known_by)s::timestamptz
            AND loaded_at > %(day)s::timestamptz - %(ahead)s::interval
            AND loaded_at <= %(known_by)s::timestamptz
    ) AS sale
    WHERE %(sales)s IN (SELECT stream FROM log)
    UNION ALL
    SELECT 2::smallint, 0::bigint, store, NULL::timestamptz, NULL::timestamptz, 0::bigint, number,
        true
    FROM (SELECT DISTINCT store FROM asked) AS asked,
        unnest(%(moments)s::timestamptz[]) WITH ORDINALITY AS slot (moment, number)
    WHERE %(sales)s IN (SELECT stream FROM log) AND EXISTS (
        SELECT FROM raw.event
        WHERE stream = %(sales)s AND {store} = asked.store
            AND event_at > slot.moment - %(fresh)s::interval AND event_at <= slot.moment
            AND loaded_at > slot.moment - %(fresh)s::interval - %(ahead)s::interval
            AND loaded_at <= slot.moment
    )
    """
_COMPETITORS_ARM = """
    SELECT 3::smallint, n, coalesce(competitor, ''), event_at, loaded_at, sequence, price, here
    FROM asked CROSS JOIN LATERAL (
        SELECT event_at, loaded_at, sequence, {competitor} AS competitor, {price} AS price,
            {here} AS here
        FROM raw.event
        WHERE stream = %(competitors)s AND {item} = asked.item {in_store}
            AND event_at > %(day)s::timestamptz - %(newest)s::interval - %(ahead)s::interval
            AND event_at <= %(known_by)s::timestamptz
            AND loaded_at
                > %(day)s::timestamptz - %(newest)s::interval - 2 * %(ahead)s::interval
            AND loaded_at <= %(known_by)s::timestamptz
            AND {price} IS NOT NULL
    ) AS seen
    WHERE %(competitors)s IN (SELECT stream FROM log)
    """
_KEPT_ARM = """
    SELECT 4::smallint, n, ''::text, slot_at, NULL::timestamptz, 0::bigint, price, true
    FROM asked JOIN ops.price_moment ON generation_id = %(generation)s
        AND store_id = asked.store AND item_id = asked.item
    """


def _sales_arms(stream: Stream, sales: LiveSales) -> str:
    return _SALES_ARM.format(
        store=stream.key_slot(sales.store_id),
        item=stream.key_slot(sales.item_id),
        units=f"coalesce({stream.amount_slot(sales.units)}, 0)" if sales.units else "1::bigint",
    )


def _competitors_arm(stream: Stream, feed: LiveCompetitors) -> str:
    store = stream.key_slot(feed.store_id) if feed.store_id else None
    return _COMPETITORS_ARM.format(
        item=stream.key_slot(feed.item_id),
        price=stream.amount_slot(feed.price),
        competitor=stream.key_slot(feed.competitor) if feed.competitor else "NULL::text",
        here=f"{store} IS NOT NULL" if store else "false",
        in_store=f"AND ({store} = asked.store OR {store} IS NULL)" if store else "",
    )
