"""Prices in the ledger against the facts they come from, on both clocks."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, time, timedelta
from typing import NamedTuple
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection, Engine, insert, select, text

from daybreak.prices.ledger import in_force, observe, put_in_force
from daybreak.warehouse import tables
from daybreak.warehouse.engine import begin
from given_prices import given_prices

FIRST = date(2026, 3, 20)
"""Clocks in Berlin go forward nine days later."""
ZONE = "Europe/Berlin"
DAY = timedelta(days=1)


class Fact(NamedTuple):
    """What a row of sales says; ``day`` and ``known`` count from ``FIRST``, in days and hours."""

    item: int
    day: int
    known: int
    cents: int | None


def midnight(day: int, zone: str = ZONE) -> datetime:
    return datetime.combine(FIRST + day * DAY, time(0), ZoneInfo(zone)).astimezone(UTC)


def moment(hours: int) -> datetime:
    return datetime.combine(FIRST, time(0), UTC) + timedelta(hours=hours)


def load(conn: Connection, facts: Sequence[Fact], load_id: int = 1) -> None:
    if facts:
        conn.execute(
            insert(tables.sales),
            [
                {
                    "business_date": FIRST + fact.day * DAY,
                    "store_id": "s",
                    "item_id": f"i{fact.item}",
                    "units": 1.0,
                    "price": None if fact.cents is None else fact.cents / 100,
                    "load_id": load_id + number,
                    "loaded_at": moment(fact.known),
                }
                for number, fact in enumerate(facts)
            ],
        )


def read(conn: Connection, day: int, known: int, *, zone: str = ZONE, currency: str = "EUR") -> int:
    return observe(
        conn,
        business_date=FIRST + day * DAY,
        cutoff=moment(known),
        currency=currency,
        decimals=2,
        timezone=zone,
    )


def prices(conn: Connection, at: datetime, known_by: datetime) -> dict[str, int]:
    return {row.item_id: row.price for row in in_force(conn, at, known_by)}


def entries(conn: Connection) -> list[tuple[object, ...]]:
    c = tables.price.c
    query = select(c.item_id, c.price, c.valid_from, c.known_at, c.source).order_by(c.entry_id)
    return [tuple(row) for row in conn.execute(query)]


@pytest.fixture
def conn(warehouse: Engine) -> Iterator[Connection]:
    """As the role that jobs have."""
    with begin(warehouse) as connection:
        connection.execute(text("SET LOCAL ROLE daybreak_writer"))
        yield connection


def test_the_first_reading_takes_changes_and_the_second_nothing(conn: Connection) -> None:
    cents = [100, 100, 120, 120, 110, None, 110]
    load(conn, [Fact(1, day, 24 * day + 26, price) for day, price in enumerate(cents)])

    assert read(conn, 6, 24 * 4) == 2, "what is not known yet is left for later"
    assert read(conn, 6, 24 * 4) == 0
    assert read(conn, 6, 24 * 8) == 1
    assert read(conn, 3, 24 * 3) == 0, "a replay finds all there"
    assert entries(conn) == [
        ("i1", 100, midnight(0), moment(26), "observed"),
        ("i1", 120, midnight(2), moment(74), "observed"),
        ("i1", 110, midnight(4), moment(122), "observed"),
    ]
    readings = conn.execute(select(tables.price_reading).order_by("reading_id")).all()
    assert [one.entries for one in readings] == [2, 1]


def test_facts_of_later_days_are_left_for_the_run_of_their_day(conn: Connection) -> None:
    load(conn, [Fact(1, 0, 1, 100), Fact(1, 1, 1, 120)])

    assert read(conn, 0, 30) == 1
    assert prices(conn, midnight(1), moment(30)) == {"i1": 100}
    assert read(conn, 1, 30) == 1
    assert prices(conn, midnight(1), moment(30)) == {"i1": 120}


def test_a_correction_changes_its_day_and_no_other(conn: Connection) -> None:
    load(conn, [Fact(1, day, 26, 100 if day < 2 else 120) for day in range(5)])
    load(conn, [Fact(1, 2, 40, 90)], load_id=9)
    for known in (30, 50):
        read(conn, 4, known)

    assert [prices(conn, midnight(day), moment(50))["i1"] for day in range(5)] == [
        *(100, 100, 90, 120, 120)
    ]
    assert [prices(conn, midnight(day), moment(39))["i1"] for day in range(5)] == [
        *(100, 100, 120, 120, 120)
    ]


def test_a_price_put_in_force_at_an_hour_of_the_day_is_the_one_that_the_sales_show(
    conn: Connection,
) -> None:
    load(conn, [Fact(1, 0, 26, 100), Fact(2, 0, 26, 100)])
    read(conn, 0, 27)
    given = given_prices({"i1": 120, "i2": 120})
    at = midnight(1) + timedelta(hours=5)
    assert put_in_force(conn, generation_id=7, rows=given, at=at, now=moment(28)) == 2
    # The second item was sold at the old price all day, and the day after.
    load(conn, [Fact(1, 1, 50, 120), Fact(2, 1, 50, 100), Fact(2, 2, 74, 100)])

    assert read(conn, 1, 51) == 0, "both prices were in force on that day"
    assert read(conn, 2, 75) == 1
    assert prices(conn, midnight(1), moment(75)) == {"i1": 100, "i2": 100}
    assert prices(conn, at, moment(75)) == {"i1": 120, "i2": 120}
    assert prices(conn, midnight(2), moment(75)) == {"i1": 120, "i2": 100}


def test_another_currency_is_another_price(conn: Connection) -> None:
    load(conn, [Fact(1, 0, 26, 100)])
    read(conn, 0, 27, currency="BGN")
    load(conn, [Fact(1, 1, 50, 100)])

    assert read(conn, 1, 51) == 1
    assert [one.currency for one in in_force(conn, midnight(1), moment(51))] == ["EUR"]


@pytest.mark.parametrize(("decimals", "expected"), [(0, 20), (2, 1999), (3, 19985)])
def test_prices_are_whole_minor_units(conn: Connection, decimals: int, expected: int) -> None:
    """19.985 is a little less in binary, and means 19.985 all the same."""
    load(conn, [Fact(1, 0, 1, None)])
    conn.execute(
        insert(tables.sales).values(
            business_date=FIRST, store_id="s", item_id="i1", units=1, price=19.985,
            load_id=2, loaded_at=moment(1),
        )
    )  # fmt: skip
    observe(
        conn, business_date=FIRST, cutoff=moment(2), currency="JPY", decimals=decimals,
        timezone=ZONE,
    )  # fmt: skip
    assert [row.price for row in in_force(conn, midnight(1), moment(2))] == [expected]


def test_the_price_of_a_week_holds_from_its_first_day(conn: Connection) -> None:
    week_ends = [FIRST + 7 * n * DAY for n in range(3)]
    conn.execute(
        insert(tables.calendar),
        [{"business_date": day, "open": True, "holiday": None, "days": 7} for day in week_ends],
    )
    load(conn, [Fact(1, 0, 26, 100), Fact(1, 7, 200, 120)])
    read(conn, 7, 201)

    assert [row[2] for row in entries(conn)] == [midnight(-6), midnight(1)]


def test_of_one_load_the_row_with_the_last_number_counts(conn: Connection) -> None:
    load(conn, [Fact(1, 0, 26, 100), Fact(1, 0, 26, 110)])
    read(conn, 0, 27)
    assert prices(conn, midnight(0), moment(27)) == {"i1": 110}


EVENT = st.builds(
    Fact,
    item=st.integers(0, 3),
    day=st.integers(0, 14),
    # Few moments, so that several facts come with one load.
    known=st.integers(0, 8).map(lambda load: 5 * load),
    cents=st.sampled_from([100, 110, 120, None]),
)


def oracle(facts: Sequence[Fact], at: datetime, known: int) -> dict[str, int]:
    """By definition: the price of the newest day that had begun, as it was known last."""
    found: dict[str, int] = {}
    for item in {fact.item for fact in facts}:
        seen = [
            (fact.day, fact.known, number, fact.cents)
            for number, fact in enumerate(facts)
            if fact.item == item
            and fact.cents is not None
            and fact.known <= known
            and midnight(fact.day) <= at
        ]
        if seen:
            cents = max(seen)[3]
            assert cents is not None
            found[f"i{item}"] = cents
    return found


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    facts=st.lists(EVENT, max_size=60),
    cutoffs=st.lists(st.integers(0, 40), max_size=4),
)
@example(  # two days of a load, of which the second had an entry and the first had none
    facts=[
        *(Fact(1, day, 0, cents) for day, cents in ((3, 110), (4, 110), (5, 100))),
        *(Fact(1, day, 5, 120) for day in (4, 5)),
    ],
    cutoffs=[0],
)
def test_in_however_many_readings_every_moment_is_as_it_was_known(
    warehouse: Engine, facts: list[Fact], cutoffs: list[int]
) -> None:
    """Late facts, corrections and rows without a price, in any order."""
    with warehouse.connect() as conn:
        load(conn, facts)
        for known in (*cutoffs, 40):
            read(conn, 14, known)
        for known in range(0, 41, 5):
            for day in range(-1, 16):
                at = midnight(day)
                assert prices(conn, at, moment(known)) == oracle(facts, at, known), (day, known)
        conn.rollback()


READING = st.tuples(st.integers(0, 14), st.integers(0, 40))
PUBLISHED = st.tuples(
    st.integers(0, 3), st.integers(0, 14), st.integers(0, 23), st.sampled_from([100, 110, 130])
)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    facts=st.lists(EVENT, max_size=40),
    readings=st.lists(READING, max_size=4),
    published=st.lists(PUBLISHED, max_size=8, unique_by=lambda one: one[:3]),
)
def test_every_day_has_the_price_that_its_sales_show(
    warehouse: Engine,
    facts: list[Fact],
    readings: list[tuple[int, int]],
    published: list[tuple[int, int, int, int]],
) -> None:
    """Beside prices that were put in force, and whichever days were read first."""
    with warehouse.connect() as conn:
        load(conn, facts)
        for item, day, hour, cents in published:
            conn.execute(
                insert(tables.price).values(
                    store_id="s", item_id=f"i{item}", price=cents, currency="EUR", decimals=2,
                    valid_from=midnight(day) + timedelta(hours=hour), timezone=ZONE,
                    known_at=moment(-1), source="published", generation_id=1,
                )
            )  # fmt: skip
        for reading in (*readings, (14, 40)):
            read(conn, *reading)
        moments = sorted({entry[2] for entry in entries(conn)})
        for fact in {(fact.item, fact.day) for fact in facts}:
            item, day = fact
            shown = oracle([one for one in facts if one[:2] == fact], midnight(day), 40)
            within = [one for one in moments if midnight(day) < one < midnight(day + 1)]
            held = {prices(conn, at, moment(40)).get(f"i{item}") for at in (midnight(day), *within)}
            assert set(shown.values()) <= held
        assert read(conn, 14, 40) == 0
        conn.rollback()


@pytest.mark.parametrize(
    ("zone", "year"),
    [
        ("Europe/Berlin", 2026),
        ("America/Sao_Paulo", 2018),
        ("America/Havana", 2019),
        ("Atlantic/Azores", 2019),
        ("Asia/Beirut", 2019),
        ("America/Scoresbysund", 2022),
        ("Australia/Lord_Howe", 2019),
    ],
)
def test_a_day_begins_when_clocks_first_show_it(conn: Connection, zone: str, year: int) -> None:
    """Where clocks move at midnight a day begins at one, or midnight comes twice."""
    place = ZoneInfo(zone)
    first_seen: dict[date, datetime] = {}
    for quarter in range(367 * 96):
        at = datetime(year, 1, 1, tzinfo=UTC) + quarter * timedelta(minutes=15)
        first_seen.setdefault(at.astimezone(place).date(), at)
    days = sorted(first_seen)[2:]
    found = conn.execute(
        select(text("day"), text("ops.start_of_day(day, :zone) AS start")).select_from(
            text("unnest(CAST(:days AS date[])) AS day")
        ),
        {"days": days, "zone": zone},
    )
    assert {row.day: row.start for row in found} == {day: first_seen[day] for day in days}
