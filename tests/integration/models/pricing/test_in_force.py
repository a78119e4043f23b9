"""From published proposals to the ledger: from which moment on, where clocks change that day."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest
from sqlalchemy import Connection, Engine, select, text

import price_proposals
from daybreak.ledger.generations import get_generation
from daybreak.models.pricing.in_force import put_proposals_in_force
from daybreak.warehouse.engine import begin
from daybreak.warehouse.tables import price

DAY = timedelta(days=1)
CHANGES = [
    (date(2026, 3, 29), "Europe/Berlin"),  # forward at 2:00
    (date(2026, 10, 25), "Europe/Berlin"),  # back at 3:00
    (date(2018, 11, 4), "America/Sao_Paulo"),  # forward at midnight: the day begins at 1:00
    (date(2019, 2, 17), "America/Sao_Paulo"),  # back at midnight: the day before has 25 hours
    (date(2019, 10, 27), "Atlantic/Azores"),  # back from 1:00 to midnight, which comes twice
    (date(2026, 6, 1), "Asia/Tokyo"),
]


def put(conn: Connection, first: date, zone: str, now: datetime) -> datetime:
    """From when on the one price that changes is in force."""
    moves = {"changes": (100, 110), "stays": (100, 100)}
    number = price_proposals.publish(conn, first - DAY, moves, zone)
    assert put_proposals_in_force(conn, get_generation(conn, number), now) == 1
    ((item, cents, moment),) = conn.execute(
        select(price.c.item_id, price.c.price, price.c.valid_from)
    ).all()
    assert (item, cents) == ("changes", 110)
    return moment  # type: ignore[no-any-return]


@pytest.mark.parametrize(("first", "zone"), CHANGES)
def test_prices_hold_from_the_first_moment_of_the_day_after(
    warehouse: Engine, first: date, zone: str
) -> None:
    with begin(warehouse) as conn:
        early = datetime(first.year, first.month, first.day, tzinfo=UTC) - 2 * DAY
        begins = conn.scalar(
            text("SELECT ops.start_of_day(:day, :zone)"), {"day": first, "zone": zone}
        )
        assert put(conn, first, zone, early) == begins


@pytest.mark.parametrize(("first", "zone"), CHANGES)
def test_what_is_published_within_that_day_holds_from_then_on(
    warehouse: Engine, first: date, zone: str
) -> None:
    with begin(warehouse) as conn:
        now = datetime(first.year, first.month, first.day, 17, 30, tzinfo=UTC)
        assert put(conn, first, zone, now) == now
