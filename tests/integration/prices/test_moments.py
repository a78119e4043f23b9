"""Prices that move during a day: kept once, ended by whatever ends them, in any order."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Connection, Engine, insert, text, update
from sqlalchemy.exc import DBAPIError

from daybreak.prices.ledger import end_moments, in_force, put_in_force, withdraw
from daybreak.prices.moments import OfPrice, keep_changes
from daybreak.warehouse import tables
from daybreak.warehouse.engine import begin, connect, make_engine
from given_prices import given_prices

START = datetime(2026, 3, 1, tzinfo=UTC)
"""Of the day; prices are published two hours later."""
ENDS = START + timedelta(days=1)


@dataclass(frozen=True)
class Moved:
    slot_at: datetime
    price: int
    published: int = 100
    demand: float | None = None
    units: float | None = None
    expected: float | None = None
    competitor: int | None = 90
    known_by: datetime = START


def moment(hours: float) -> datetime:
    return START + timedelta(hours=hours)


class Ledger:
    """With a generation that is published, and one of the day before."""

    def __init__(self, owner: Engine) -> None:
        self.owner = owner
        with begin(owner) as conn:
            self.before, self.now, self.later = (
                self._generation(conn, day) for day in (27, 28, 29)
            )
            self._publish(conn, self.now)

    def _generation(self, conn: Connection, day: int) -> int:
        business_date = date(2026, 2, 1) + timedelta(days=day - 1)
        values: dict[str, Any] = {"model": "pricing", "business_date": business_date}
        snapshot = insert(tables.snapshot).values(
            **values, cutoff=START, layout=f"{day}", rows=1, sha256="", built_at=START
        )
        snapshot_id = conn.execute(snapshot.returning(tables.snapshot.c.snapshot_id)).scalar_one()
        generation = insert(tables.generation).values(
            **values, run_key=f"r{day}", run_type="cli", cutoff=START, version="v",
            snapshot_id=snapshot_id, state="published", opened_at=START,
        )  # fmt: skip
        return conn.execute(generation.returning(tables.generation.c.generation_id)).scalar_one()

    def _publish(self, conn: Connection, generation_id: int) -> None:
        conn.execute(
            insert(tables.published).values(
                model="pricing", business_date=date(2026, 2, 28), published_at=START,
                generation_id=generation_id,
            )
        )  # fmt: skip

    def put(
        self,
        generation_id: int,
        price: int | None,
        at: float,
        now: float | None = None,
        item: str = "i",
    ) -> int:
        now = at if now is None else now
        with begin(self.owner) as conn:
            end_moments(conn, generation_id=generation_id, at=moment(at), now=moment(now))
            return put_in_force(
                conn,
                generation_id=generation_id,
                rows=given_prices({item: price}),
                at=moment(at),
                now=moment(now),
            )

    def keep(self, *changes: tuple[float, int], now: float | None = None) -> dict[float, int]:
        """Changes by slot; what is kept then."""
        moved = [Moved(moment(at), price) for at, price in changes]
        now = changes[-1][0] if now is None else now
        with connect(self.owner) as conn:
            (found,) = keep_changes(conn, self.now, [of_price(moved)], moment(now))
        return {(at - START) / timedelta(hours=1): price for at, price in found.items()}

    def roll_back(self, now: float) -> int:
        with begin(self.owner) as conn:
            is_ours = tables.generation.c.generation_id == self.now
            conn.execute(update(tables.generation).where(is_ours).values(state="rolled_back"))
            conn.execute(text("DELETE FROM ops.published"))
            return withdraw(conn, generation_id=self.now, now=moment(now))

    def shown(self, *hours: float) -> list[int | None]:
        with connect(self.owner) as conn:
            found = [in_force(conn, moment(at), moment(1000)) for at in hours]
        return [one[0].price if one else None for one in found]


def of_price(changes: Sequence[Moved]) -> OfPrice:
    return OfPrice("s", "i", "EUR", 2, "UTC", ENDS, changes)


@pytest.fixture
def ledger(warehouse: Engine) -> Iterator[Ledger]:
    found = Ledger(warehouse)
    found.put(found.before, 80, at=-22)
    found.put(found.now, 100, at=2)
    return found


def test_a_price_is_back_at_the_end_of_the_day(ledger: Ledger) -> None:
    assert ledger.keep((9, 110)) == {9: 110}
    assert ledger.keep((9, 110), (12, 120)) == {9: 110, 12: 120}
    assert ledger.shown(8, 9, 11.9, 12, 23.9, 24, 60) == [100, 110, 110, 120, 120, 100, 100]


def test_what_is_kept_stays_whoever_comes_later(ledger: Ledger) -> None:
    ledger.keep((9, 110), (12, 120))
    assert ledger.keep((9, 110), now=12.1) == {9: 110, 12: 120}, "of a slot that is past"
    assert ledger.keep((9, 115), (12, 100), now=12.2) == {9: 110, 12: 120}
    assert ledger.shown(9, 12, 24) == [110, 120, 100]


def test_nobody_changes_what_is_kept(ledger: Ledger) -> None:
    ledger.keep((9, 110))
    for statement in (
        "UPDATE ops.price_moment SET price = 1",
        "DELETE FROM ops.price_moment",
        "TRUNCATE ops.price_moment",
    ):
        with pytest.raises(DBAPIError), begin(ledger.owner) as conn:
            conn.execute(text(statement))


@pytest.mark.parametrize(
    ("price", "at", "then"),
    [
        (130, 14, [110, 130, 130, 130]),
        (110, 14, [110, 110, 110, 110]),  # as the moment had it: and it does not end at midnight
        (100, 14, [110, 100, 100, 100]),
        (130, 24, [110, 110, 110, 130]),  # for the day after
        (110, 24, [110, 110, 110, 110]),
        (100, 24, [110, 110, 110, 100]),
    ],
)
def test_the_next_night_ends_it(ledger: Ledger, price: int, at: float, then: list[int]) -> None:
    ledger.keep((9, 110))
    ledger.put(ledger.later, price, at=at, now=14)
    assert ledger.shown(9, 14, 23.9, 24) == then


def test_the_next_night_ends_also_what_it_does_not_change_itself(ledger: Ledger) -> None:
    ledger.keep((9, 110))
    ledger.put(ledger.later, 50, at=14, item="another")
    with connect(ledger.owner) as conn:
        found = [
            {one.item_id: one.price for one in in_force(conn, moment(at), moment(1000))}["i"]
            for at in (9, 13.9, 14, 23, 24)
        ]
    assert found == [110, 110, 100, 100, 100]


def test_a_night_that_came_first_is_not_overwritten(ledger: Ledger) -> None:
    ledger.put(ledger.later, 130, at=24, now=22)
    ledger.keep((22.5, 110))
    assert ledger.shown(22.5, 24) == [110, 130]
    ledger.put(ledger.later, 130, at=24, now=22.6)
    assert ledger.shown(22.5, 24) == [110, 130]


def test_a_rollback_ends_it_and_what_was_before_stays_after_midnight(ledger: Ledger) -> None:
    ledger.keep((9, 110))
    ledger.roll_back(12)
    assert ledger.shown(2, 9, 11.9, 12, 23.9, 24, 60) == [100, 110, 110, 80, 80, 80, 80]
    assert ledger.roll_back(13) == 0


def test_a_rollback_ends_also_what_the_night_had_not_changed(warehouse: Engine) -> None:
    ledger = Ledger(warehouse)
    ledger.put(ledger.before, 100, at=-22)
    ledger.keep((9, 110))
    ledger.roll_back(12)
    assert ledger.shown(2, 9, 11.9, 12, 24) == [100, 110, 110, 100, 100]


def test_who_is_late_for_a_rollback_keeps_it_until_then(ledger: Ledger) -> None:
    """A worker goes on for some seconds: what it answers is in force until the rollback."""
    ledger.roll_back(12)
    assert ledger.keep((11.75, 110), now=12.001) == {11.75: 110}
    assert ledger.shown(11.7, 11.75, 11.9, 12, 12.1, 24) == [100, 110, 110, 80, 80, 80]


def test_who_is_late_ends_it_where_the_rollback_found_nothing_to_end(warehouse: Engine) -> None:
    ledger = Ledger(warehouse)
    ledger.put(ledger.before, 100, at=-22)
    assert ledger.roll_back(12) == 0
    ledger.keep((11.75, 110), now=12.001)
    assert ledger.shown(11.7, 11.75, 12, 12.01, 24) == [100, 110, 110, 100, 100]


def test_a_price_that_no_ledger_knew_is_back_too(warehouse: Engine) -> None:
    ledger = Ledger(warehouse)
    ledger.keep((9, 110))
    assert ledger.shown(8, 9, 24) == [None, 110, 100]


def test_the_service_keeps_prices_and_reads_no_ledger(ledger: Ledger) -> None:
    url = ledger.owner.url.set(username="daybreak_service")
    engine = make_engine(url.render_as_string(hide_password=False))
    try:
        with connect(engine) as conn:
            (found,) = keep_changes(conn, ledger.now, [of_price([Moved(moment(9), 110)])], START)
        assert [*found.values()] == [110]
        with pytest.raises(DBAPIError, match="permission denied"), connect(engine) as conn:
            conn.execute(text("SELECT 1 FROM ops.price"))
        with pytest.raises(DBAPIError, match="permission denied"), begin(engine) as conn:
            conn.execute(text("DELETE FROM ops.price_moment"))
    finally:
        engine.dispose()
