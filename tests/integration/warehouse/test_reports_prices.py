"""Reports of prices against an oracle that looks at every quarter of an hour."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection, Engine, insert, text

from daybreak.warehouse.engine import begin
from daybreak.warehouse.tables import price
from price_oracle import Entry, Shop, by_day, lowest, reductions, shown

DAY = timedelta(days=1)
SHOPS = [
    Shop(date(2026, 2, 20), 80, "Europe/Berlin"),  # clocks go forward on March 29
    Shop(date(2026, 9, 25), 80, "Europe/Berlin"),  # and back on October 25
    Shop(date(2018, 10, 1), 80, "America/Sao_Paulo"),  # forward at midnight, November 4
    Shop(date(2019, 1, 10), 80, "America/Sao_Paulo"),  # back at midnight, February 17
    Shop(date(2019, 10, 1), 80, "Atlantic/Azores"),  # back from 1:00 to midnight, October 27
    Shop(date(2026, 3, 1), 80, "Pacific/Auckland"),
    Shop(date(2026, 3, 1), 80, "UTC"),
]
HISTORIES = 12


def history(days: int) -> st.SearchStrategy[list[Entry]]:
    """Changes at midnights and within days, corrections, days off sale, equal prices in a row."""
    quarter = st.one_of(
        st.integers(0, days * 96 - 1),
        # Midnights of most zones, and days with many changes.
        st.integers(0, days - 1).map(lambda day: day * 96 + 92),
        st.integers(20 * 96, 22 * 96),
    )
    entry = st.builds(
        Entry,
        quarter=quarter,
        known=st.integers(0, 3),
        cents=st.sampled_from([100, 110, 120, 130, 150, None]),
        currency=st.sampled_from(["EUR"] * 5 + ["SEK"]),
    )
    return st.lists(entry, max_size=16)


def write(conn: Connection, shop: Shop, histories: Sequence[Sequence[Entry]]) -> None:
    rows = [
        {
            "store_id": "s",
            "item_id": f"{number:02}",
            "price": entry.cents,
            "currency": entry.currency,
            "decimals": 2,
            "valid_from": shop.moment(entry.quarter),
            "timezone": shop.zone,
            "known_at": shop.moment(entry.known),
            "source": "observed",
        }
        for number, entries in enumerate(histories)
        for entry in entries
    ]
    if rows:
        conn.execute(insert(price), rows)


LOWS = text(
    """
    SELECT day::date, low.item_id, low.currency, low.price
    FROM generate_series(CAST(:first AS date), CAST(:last AS date), interval '1 day') AS day
    JOIN report.price_low_30d AS low ON day::date BETWEEN low.first_day AND low.last_day
    """
)


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    shop=st.sampled_from(SHOPS),
    data=st.data(),
)
def test_every_day_and_every_reduction_is_as_the_oracle_says(
    warehouse: Engine, shop: Shop, data: st.DataObject
) -> None:
    """Hundreds of histories a run, each with every day up to 40 days past its last entry."""
    histories = data.draw(
        st.lists(history(40), min_size=HISTORIES, max_size=HISTORIES), label="histories"
    )
    last = shop.first + (shop.days - 2) * DAY
    days = [shop.first - DAY + n * DAY for n in range((last - shop.first).days + 2)]
    with warehouse.connect() as conn:
        write(conn, shop, histories)
        lows = [tuple(row) for row in conn.execute(LOWS, {"first": days[0], "last": last})]
        was = conn.execute(text("SELECT * FROM report.price_was ORDER BY item_id, valid_from"))
        announced = was.mappings().all()
        conn.rollback()

    expected = []
    for number, entries in enumerate(histories):
        prices = shown(shop, entries)
        for currency in ("EUR", "SEK"):
            of_days = by_day(shop, prices, currency)
            expected += [
                (day, f"{number:02}", currency, low)
                for day in days
                if (low := lowest(of_days, day)) is not None
            ]
    assert sorted(lows) == sorted(expected)

    found = [
        (
            row["item_id"], row["valid_from"], row["price"], row["prior_price"],
            row["days_known"], row["step"], row["before_first_reduction"],
        )
        for row in announced
    ]  # fmt: skip
    assert found == [
        (
            f"{number:02}", shop.moment(one.quarter), one.price, one.prior,
            one.days_known, one.step, one.before_first,
        )
        for number, entries in enumerate(histories)
        for one in reductions(shop, entries)
    ]  # fmt: skip
    for row in announced:
        assert row["reduction_percent"] == percent(row["prior_price"], row["price"])
        assert row["progressive_percent"] == percent(row["before_first_reduction"], row["price"])


def percent(prior: int | None, reduced: int) -> Decimal | None:
    """Rounded down to hundredths of a percent."""
    return None if prior is None else Decimal((prior - reduced) * 10000 // prior) / 100


@settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(shop=st.sampled_from(SHOPS), entries=history(40))
def test_the_history_has_one_price_at_each_moment(
    warehouse: Engine, shop: Shop, entries: list[Entry]
) -> None:
    with warehouse.connect() as conn:
        write(conn, shop, [entries])
        rows = conn.execute(text("SELECT * FROM report.price_history")).mappings().all()
        conn.rollback()
    prices = shown(shop, entries)
    local = shop.local_days()
    covered: list[tuple[int, str] | None] = [None] * len(prices)
    for row in rows:
        within = [
            quarter
            for quarter in range(len(prices))
            if row["valid_from"] <= shop.moment(quarter)
            and (row["valid_to"] is None or shop.moment(quarter) < row["valid_to"])
        ]
        for quarter in within:
            assert covered[quarter] is None
            covered[quarter] = (row["price"], row["currency"])
        assert row["first_day"] == local[within[0]]
        assert (row["last_day"] or local[-1]) == local[within[-1]]
    assert covered == prices


# --- worked by hand --------------------------------------------------------------------------

ZONE = ZoneInfo("Europe/Berlin")


def entry(day: date, cents: int | None, hour: int = 0, **more: Any) -> dict[str, Any]:
    moment = datetime(day.year, day.month, day.day, hour, tzinfo=ZONE)
    return {
        "store_id": "s", "item_id": "i", "price": cents, "currency": "EUR", "decimals": 2,
        "valid_from": moment, "timezone": ZONE.key, "known_at": moment, "source": "observed",
    } | more  # fmt: skip


def announced(conn: Connection, *columns: str) -> list[tuple[Any, ...]]:
    rows = conn.execute(text("SELECT * FROM report.price_was ORDER BY valid_from")).mappings()
    return [tuple(row[name] for name in columns) for row in rows]


@pytest.fixture
def conn(warehouse: Engine):
    with begin(warehouse) as connection:
        yield connection


def test_bananas_at_the_price_of_the_weeks_before_are_not_reduced(conn: Connection) -> None:
    """C-330/23: 1.69 before and 1.29 now, where 1.29 had been the lowest of 30 days: no -23 %."""
    conn.execute(
        insert(price),
        [
            entry(date(2022, 9, 1), 129),
            entry(date(2022, 10, 10), 169),
            entry(date(2022, 10, 17), 129),
        ],
    )
    assert announced(conn, "day", "price_before", "prior_price", "reduction_percent") == [
        (date(2022, 10, 17), 169, 129, Decimal(0))
    ]


def test_the_second_reduction_of_a_day_is_computed_from_the_first(conn: Connection) -> None:
    day = date(2026, 6, 1)
    prices = [entry(day - 60 * DAY, 100), entry(day, 80, hour=8), entry(day, 70, hour=14)]
    conn.execute(insert(price), prices)
    assert announced(conn, "price", "prior_price", "reduction_percent") == [
        (80, 100, Decimal(20)),
        (70, 80, Decimal("12.5")),
    ]


def test_the_thirty_days_end_the_day_before(conn: Connection) -> None:
    """A price of one day counts for the 30 dates after it, and not on its own day."""
    spring = date(2026, 3, 20)
    conn.execute(
        insert(price),
        [entry(spring - 60 * DAY, 200), entry(spring, 100), entry(spring + DAY, 200)],
    )
    lows = {
        offset: conn.scalar(
            text(
                "SELECT amount FROM report.price_low_30d "
                "WHERE item_id = 'i' AND CAST(:day AS date) BETWEEN first_day AND last_day"
            ),
            {"day": spring + offset * DAY},
        )
        for offset in (-60, -59, 0, 1, 30, 31, 10000)
    }
    two, one = Decimal("2.00"), Decimal("1.00")
    assert lows == {-60: None, -59: two, 0: two, 1: one, 30: one, 31: two, 10000: two}


def test_steps_of_a_campaign_may_show_the_price_before_the_first(conn: Connection) -> None:
    first = date(2026, 6, 1)
    steps = [(0, 1000), (40, 800), (50, 700), (60, 600), (61, 600), (95, 650), (99, 500)]
    conn.execute(insert(price), [entry(first + offset * DAY, cents) for offset, cents in steps])

    columns = ("step", "price", "prior_price", "before_first_reduction", "progressive_percent")
    assert announced(conn, *columns) == [
        (1, 800, 1000, 1000, Decimal(20)),
        (2, 700, 800, 1000, Decimal(30)),
        (3, 600, 700, 1000, Decimal(40)),
        (1, 500, 600, 600, Decimal("16.66")),
    ]
    until = [row[0] for row in announced(conn, "valid_to")]
    assert until[2] == entry(first + 95 * DAY, 0)["valid_from"], "equal prices in a row are one"
    assert until[3] is None


def test_a_change_of_currency_is_no_reduction_and_ends_a_campaign(conn: Connection) -> None:
    first = date(2026, 1, 1)
    steps = [(0, 120, "BGN"), (1, 100, "BGN"), (2, 100, "EUR"), (3, 90, "EUR"), (4, 80, "BGN")]
    conn.execute(
        insert(price),
        [entry(first + offset * DAY, cents, currency=one) for offset, cents, one in steps],
    )
    assert announced(conn, "currency", "step", "price", "prior_price", "days_known") == [
        ("BGN", 1, 100, 120, 1),
        ("EUR", 1, 90, 100, 3),
    ]


def test_a_new_item_says_how_long_it_was_known(conn: Connection) -> None:
    first = date(2026, 6, 1)
    conn.execute(insert(price), [entry(first, 100), entry(first + 5 * DAY, 90, hour=12)])
    assert announced(conn, "days_known", "prior_price") == [(5, 100)]


def test_after_more_than_thirty_days_off_sale_there_is_no_prior_price(conn: Connection) -> None:
    first = date(2026, 6, 1)
    conn.execute(
        insert(price),
        [entry(first, 100), entry(first + DAY, None), entry(first + 40 * DAY, 90)],
    )
    assert announced(conn, "prior_price", "reduction_percent", "step") == [(None, None, 1)]


@pytest.mark.parametrize(
    ("decimals", "amount"), [(0, Decimal(1995)), (2, Decimal("19.95")), (3, Decimal("1.995"))]
)
def test_an_amount_has_the_decimals_of_its_currency(
    conn: Connection, decimals: int, amount: Decimal
) -> None:
    conn.execute(insert(price), entry(date(2026, 6, 1), 1995, decimals=decimals))
    found = conn.scalar(text("SELECT amount FROM report.price_history"))
    assert str(found) == str(amount)
