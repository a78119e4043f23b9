"""What became of a price where the data set has weeks, worked by hand."""

from __future__ import annotations

from datetime import date

import pytest
from sqlalchemy import Engine, insert, text

import price_proposals
from daybreak.warehouse.engine import begin
from daybreak.warehouse.tables import calendar, cost, day_closed, sales
from price_site import night


def test_in_weeks_a_price_is_judged_by_weeks(warehouse: Engine) -> None:
    """Worked by hand: of two weeks the first counts not, as a promotion is planned in it."""
    sunday, last = date(2026, 3, 1), date(2026, 3, 15)
    with begin(warehouse) as conn:
        conn.execute(insert(calendar).values(business_date=sunday, open=True, days=7))
        price_proposals.publish(conn, sunday, {"a": (100, 110), "b": (100, 100)}, judged_by="01")
        for item, units, price in (("a", 12.0, 1.10), ("b", 8.0, 1.00), ("b", 9.0, 1.00)):
            conn.execute(
                insert(sales).values(
                    business_date=last, store_id="s1", item_id=item, units=units, price=price,
                    load_id=int(units), loaded_at=night(last),
                )
            )  # fmt: skip
        conn.execute(
            insert(cost).values(
                business_date=sunday, store_id="", item_id="a", cost=0.7, load_id=1,
                loaded_at=night(sunday, 0),
            )
        )  # fmt: skip
        names = "item_id, state, days, first_day, last_day, days_in_force, actual_units, within"
        query = text(f"SELECT {names}, actual_margin FROM report.price_outcome ORDER BY item_id")
        assert {tuple(row)[1:4] for row in conn.execute(query)} == {("open", 1, last)}
        conn.execute(
            insert(day_closed).values(business_date=last, closed_at=night(last), load_id=1)
        )
        a, b = (tuple(row) for row in conn.execute(query))
    assert a[:-1] == ("a", "closed", 1, last, last, 1, 12.0, True)
    assert a[-1] == pytest.approx(12 * 0.4)
    assert b == ("b", "closed", 1, last, last, 1, 9.0, True, None)
