"""What generations put in force, what a rollback brings back, and what is in force when."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection, Engine, delete, insert, select, text, update
from sqlalchemy.exc import DBAPIError

from daybreak.errors import ConfigError
from daybreak.prices.ledger import in_force, put_in_force, withdraw
from daybreak.warehouse import tables
from daybreak.warehouse.engine import begin
from given_prices import given_prices

START = datetime(2026, 3, 1, tzinfo=UTC)


def moment(hours: float) -> datetime:
    return START + timedelta(hours=hours)


@pytest.fixture
def conn(warehouse: Engine) -> Iterator[Connection]:
    """As the role that jobs have."""
    with begin(warehouse) as connection:
        connection.execute(text("SET LOCAL ROLE daybreak_writer"))
        yield connection


def put(
    conn: Connection, generation_id: int, prices: dict[str, int | None], at: float, now: float
) -> int:
    return put_in_force(
        conn, generation_id=generation_id, rows=given_prices(prices), at=moment(at), now=moment(now)
    )


def shown(conn: Connection, at: float, known_by: float = 1000) -> dict[str, int]:
    return {row.item_id: row.price for row in in_force(conn, moment(at), moment(known_by))}


def roll_back(conn: Connection, generation_id: int, now: float) -> int:
    conn.execute(
        update(tables.generation)
        .where(tables.generation.c.generation_id == generation_id)
        .values(state="rolled_back")
    )
    return withdraw(conn, generation_id=generation_id, now=moment(now))


def generation(conn: Connection, day: int) -> int:
    snapshot_id = conn.execute(
        insert(tables.snapshot)
        .values(
            model="pricing", business_date=date(2026, 3, day), cutoff=START, layout=f"{day}",
            rows=1, sha256="", built_at=START,
        )
        .returning(tables.snapshot.c.snapshot_id)
    ).scalar_one()  # fmt: skip
    return conn.execute(
        insert(tables.generation)
        .values(
            model="pricing", business_date=date(2026, 3, day), run_key=f"r{day}", run_type="cli",
            cutoff=START, version="v", snapshot_id=snapshot_id, state="published",
            opened_at=START,
        )
        .returning(tables.generation.c.generation_id)
    ).scalar_one()  # fmt: skip


def test_only_prices_that_differ_are_appended_and_each_once(conn: Connection) -> None:
    assert put(conn, 1, {"a": 100, "b": 200, "c": None}, at=5, now=2) == 2
    assert put(conn, 1, {"a": 100, "b": 200, "c": None}, at=5, now=3) == 0
    assert put(conn, 2, {"a": 100, "b": 190, "c": 300}, at=29, now=26) == 2

    assert shown(conn, 4.9) == {}
    assert shown(conn, 5) == shown(conn, 28.9) == {"a": 100, "b": 200}
    assert shown(conn, 29) == {"a": 100, "b": 190, "c": 300}
    assert shown(conn, 29, known_by=25) == {"a": 100, "b": 200}, "what was known then stays"
    assert put(conn, 1, {"a": 110, "b": 210}, at=40, now=40) == 0, "it has put its prices"


def test_what_is_not_on_sale_has_no_price_in_force(conn: Connection) -> None:
    put(conn, 1, {"a": 100}, at=5, now=2)
    assert put(conn, 2, {"a": None}, at=29, now=26) == 1
    assert put(conn, 3, {"a": None}, at=53, now=50) == 0

    assert shown(conn, 29) == {}
    assert put(conn, 4, {"a": 100}, at=77, now=74) == 1
    assert shown(conn, 77) == {"a": 100}


def test_a_row_knows_where_it_comes_from(conn: Connection) -> None:
    put(conn, 1, {"a": 100}, at=5, now=2)
    (row,) = in_force(conn, moment(6), moment(6))
    assert row == ("s", "a", 100, "EUR", 2, moment(5), moment(2), "published", 1)


def test_a_statement_will_do_for_rows(conn: Connection) -> None:
    given_rows = select(given_prices({"a": 100}))
    assert put_in_force(conn, generation_id=1, rows=given_rows, at=START, now=START) == 1


def test_prices_count_for_days_of_the_time_zone_that_the_sales_were_read_in(
    conn: Connection,
) -> None:
    put(conn, 1, {"a": 100}, at=5, now=2)
    for zone in ("Europe/Berlin", "Europe/Lisbon"):
        conn.execute(
            insert(tables.price_reading).values(
                business_date=START.date(), cutoff=START, timezone=zone, entries=0
            )
        )
    put(conn, 2, {"a": 110}, at=29, now=26)
    zones = select(tables.price.c.timezone).order_by(tables.price.c.entry_id)
    assert conn.scalars(zones).all() == ["UTC", "Europe/Lisbon"]


def test_a_rollback_brings_back_what_was_in_force(conn: Connection) -> None:
    before, rolled = generation(conn, 1), generation(conn, 2)
    put(conn, before, {"a": 100, "b": 200}, at=5, now=2)
    put(conn, rolled, {"a": 90, "b": 200, "new": 50}, at=29, now=26)

    assert roll_back(conn, rolled, now=34) == 2
    assert withdraw(conn, generation_id=rolled, now=moment(35)) == 0
    assert shown(conn, 30) == {"a": 90, "b": 200, "new": 50}, "until then it was in force"
    assert shown(conn, 34) == {"a": 100, "b": 200}
    assert shown(conn, 34, known_by=33) == {"a": 90, "b": 200, "new": 50}


def test_a_rollback_before_its_time_leaves_no_moment_of_it(conn: Connection) -> None:
    before, rolled = generation(conn, 1), generation(conn, 2)
    put(conn, before, {"a": 100}, at=5, now=2)
    put(conn, rolled, {"a": 90}, at=29, now=26)

    assert roll_back(conn, rolled, now=27) == 1
    assert shown(conn, 29) == {"a": 100}
    assert shown(conn, 29, known_by=26) == {"a": 90}


def test_what_another_generation_has_changed_since_stays(conn: Connection) -> None:
    first, rolled, last = (generation(conn, day) for day in (1, 2, 3))
    put(conn, first, {"a": 100, "b": 200}, at=5, now=2)
    put(conn, rolled, {"a": 90, "b": 190}, at=29, now=26)
    put(conn, last, {"a": 80, "b": 190}, at=53, now=50)

    assert roll_back(conn, rolled, now=60) == 1
    assert shown(conn, 60) == {"a": 80, "b": 200}


@pytest.mark.parametrize("order", [(1, 0), (0, 1)])
def test_two_generations_that_are_rolled_back_leave_nothing(
    conn: Connection, order: tuple[int, int]
) -> None:
    """In either order, be they of one day, with prices from the same moment on, or not."""
    for days_apart in (0, 24):
        item = f"item {days_apart}"
        before, *rolled = (generation(conn, days_apart + day) for day in (1, 2, 3))
        put(conn, before, {item: 100}, at=5, now=2)
        put(conn, rolled[0], {item: 90}, at=29, now=26)
        put(conn, rolled[1], {item: 80}, at=29 + days_apart, now=27 + days_apart)
        for place in order:
            roll_back(conn, rolled[place], now=60)
        assert shown(conn, 61)[item] == 100


def test_a_replacement_that_is_rolled_back_leads_to_the_one_before(conn: Connection) -> None:
    before, first, again = (generation(conn, day) for day in (1, 2, 3))
    put(conn, before, {"a": 100}, at=5, now=2)
    put(conn, first, {"a": 90}, at=29, now=26)
    put(conn, again, {"a": 80}, at=29, now=27)

    assert roll_back(conn, again, now=40) == 1
    (row,) = in_force(conn, moment(41), moment(41))
    assert (row.price, row.source, row.generation_id) == (90, "withdrawn", first)


def test_the_ledger_is_only_appended_to(warehouse: Engine) -> None:
    with begin(warehouse) as conn:
        put(conn, 1, {"a": 100}, at=5, now=2)
    for statement in (
        update(tables.price).values(price=1),
        delete(tables.price),
        text("TRUNCATE ops.price"),
        delete(tables.price_reading),
    ):
        with pytest.raises(DBAPIError, match="append-only"), begin(warehouse) as conn:
            conn.execute(statement)


def test_moments_need_a_time_zone(conn: Connection) -> None:
    naive = START.replace(tzinfo=None)
    for call in (
        lambda: in_force(conn, naive, START),
        lambda: in_force(conn, START, naive),
        lambda: put_in_force(conn, generation_id=1, rows=given_prices({}), at=naive, now=START),
        lambda: put_in_force(conn, generation_id=1, rows=given_prices({}), at=START, now=naive),
        lambda: withdraw(conn, generation_id=1, now=naive),
    ):
        with pytest.raises(ConfigError, match="no time zone"):
            call()


ENTRY = st.tuples(
    st.sampled_from("ab"),
    st.integers(0, 8),
    st.integers(0, 8),
    st.sampled_from([100, 110, 120, None]),
)


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(entries=st.lists(ENTRY, max_size=30))
def test_what_is_in_force_is_the_newest_entry_by_what_was_known(
    warehouse: Engine, entries: list[tuple[str, int, int, int | None]]
) -> None:
    with warehouse.connect() as conn:
        for item, valid_from, known_at, cents in entries:
            conn.execute(
                insert(tables.price).values(
                    store_id="s", item_id=item, price=cents, currency="EUR", decimals=2,
                    valid_from=moment(valid_from), timezone="UTC", known_at=moment(known_at),
                    source="observed",
                )
            )  # fmt: skip
        for at in range(-1, 10):
            for known in range(-1, 10):
                expected = {}
                for item in "ab":
                    ranked = [
                        (valid_from, known_at, number, cents)
                        for number, (one, valid_from, known_at, cents) in enumerate(entries)
                        if one == item and valid_from <= at and known_at <= known
                    ]
                    if ranked and (cents := max(ranked)[3]) is not None:
                        expected[item] = cents
                assert shown(conn, at, known) == expected
        conn.rollback()
