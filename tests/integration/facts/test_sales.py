"""Facts to panel: both clocks, corrections, plans that change, gaps."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, timedelta
from typing import Any

import numpy as np
import pytest
from sqlalchemy import Engine, Table, insert

from daybreak.clock import AsOf
from daybreak.errors import NoData
from daybreak.facts.panel import Panel
from daybreak.facts.sales import read_actuals, read_panel
from daybreak.warehouse.engine import begin, connect
from daybreak.warehouse.tables import calendar, item, plan, sales

DAY = date(2026, 3, 10)
CUTOFF = datetime(2026, 3, 11, 2, tzinfo=UTC)
AS_OF = AsOf(DAY, CUTOFF)
NAN = float("nan")


def put(
    engine: Engine, table: Table, *rows: dict[str, Any], known: datetime = CUTOFF, load: int = 1
) -> None:
    keys = set().union(*rows)
    filled = [dict.fromkeys(keys) | row for row in rows]
    with begin(engine) as conn:
        conn.execute(insert(table), [{"load_id": load, "loaded_at": known} | r for r in filled])


def sale(day: date, units: float, store: str = "A", name: str = "x", **more: Any) -> dict[str, Any]:
    return {
        "business_date": day,
        "store_id": store,
        "item_id": name,
        "units": units,
        **more,
    }


def planned(day: date, store: str = "A", name: str = "x", **more: Any) -> dict[str, Any]:
    return {"business_date": day, "store_id": store, "item_id": name, **more}


def before(days: int) -> date:
    return DAY - timedelta(days=days)


def before_cutoff(**delta: float) -> datetime:
    return CUTOFF - timedelta(**delta)


def panel(engine: Engine, as_of: AsOf = AS_OF, **options: Any) -> Panel:
    with connect(engine) as conn:
        return read_panel(conn, as_of, **{"days": 5, **options})


def bits(panel: Panel) -> list[Any]:
    values = [v if isinstance(v, dict) else np.asarray(v) for v in vars(panel).values()]
    return [
        {k: a.tobytes() for k, a in v.items()}
        if isinstance(v, dict)
        else v.tolist()
        if v.dtype == object
        else v.tobytes()
        for v in values
    ]


def test_gaps_are_zero_and_days_before_the_first_row_unknown(warehouse: Engine) -> None:
    put(warehouse, sales, sale(before(3), 2), sale(DAY, 4), sale(before(1), 1, name="y"))
    put(warehouse, sales, sale(before(2), 0, name="z"), sale(DAY, 0, name="z"))
    got = panel(warehouse)
    assert got.first_date == before(4)
    assert got.item_ids.tolist() == ["x", "y", "z"]
    np.testing.assert_array_equal(
        got.units,
        [[NAN, 2, 0, 0, 4], [NAN, NAN, NAN, 1, 0], [NAN, NAN, 0, 0, 0]],
        "a row of 0 units is a row",
    )
    assert got.units.dtype == np.float32
    assert got.open.all()
    assert got.open.shape == (3, 33)


def test_a_series_sold_before_the_window_is_known_from_its_first_column(warehouse: Engine) -> None:
    put(warehouse, sales, sale(before(300), 9), sale(DAY, 4))
    np.testing.assert_array_equal(panel(warehouse).units, [[0, 0, 0, 0, 4]])
    # ... but not where that old sale was learned after the cutoff.
    put(warehouse, sales, sale(DAY, 1, name="late"))
    put(
        warehouse,
        sales,
        sale(before(300), 9, name="late"),
        known=CUTOFF + timedelta(microseconds=1),
    )
    np.testing.assert_array_equal(panel(warehouse).units[0], [NAN, NAN, NAN, NAN, 1])


def test_keys_are_in_bytewise_order(warehouse: Engine) -> None:
    names = ["a", "B", "é", "Z", "10", "9", "\U0001f980", "\uffff", "ab", "a b"]
    put(warehouse, sales, *(sale(DAY, 1, name=name) for name in names))
    assert panel(warehouse).item_ids.tolist() == sorted(names, key=lambda name: name.encode())


def test_the_latest_row_within_the_cutoff_holds_as_a_whole(warehouse: Engine) -> None:
    # Written in an order that is not the order of knowledge.
    put(warehouse, sales, sale(before(1), 7), known=CUTOFF - timedelta(hours=1), load=2)
    put(warehouse, sales, sale(before(1), 5, price=3.0), known=CUTOFF - timedelta(hours=2))
    put(warehouse, sales, sale(before(1), 6), known=CUTOFF - timedelta(hours=1), load=1)
    put(warehouse, sales, sale(DAY, 1), load=1)
    got = panel(warehouse)
    np.testing.assert_array_equal(got.units[0], [NAN, NAN, NAN, 7, 1])
    assert np.isnan(got.price).all(), "the price of a row that was replaced is gone too"
    earlier = AsOf(DAY, CUTOFF - timedelta(minutes=90))
    np.testing.assert_array_equal(panel(warehouse, earlier).price[0, 3:6], [3, 3, 3])


def test_nothing_past_either_clock_changes_a_bit(warehouse: Engine) -> None:
    put(warehouse, sales, sale(before(3), 2, price=1.5), sale(DAY, 4, "B"), sale(before(2), 3))
    put(warehouse, plan, planned(DAY + timedelta(days=2), promotion=1.0))
    put(warehouse, plan, planned(DAY, name="", open=True, covariates={"wind": 3}))
    put(warehouse, item, {"item_id": "x", "category": "tea"})
    before_ = bits(panel(warehouse))

    late = CUTOFF + timedelta(microseconds=1)
    put(warehouse, sales, sale(before(3), 99, price=9.0), sale(DAY, 5, name="new"), known=late)
    put(warehouse, sales, sale(DAY + timedelta(days=1), 77), sale(before(5), 8, name="old"))
    put(warehouse, plan, planned(DAY, promotion=0.5, covariates={"rain": 1}), known=late)
    put(warehouse, plan, planned(DAY, name="", open=False, holiday=1.0), known=late)
    put(warehouse, plan, planned(DAY + timedelta(days=29), promotion=1.0))
    put(warehouse, item, {"item_id": "x", "category": "coffee"}, known=late)
    assert bits(panel(warehouse)) == before_

    assert bits(panel(warehouse, AsOf(DAY, late))) != before_


def test_a_plan_that_changes(warehouse: Engine) -> None:
    put(warehouse, sales, sale(before(15), 1, price=10.0), known=before_cutoff(days=14))
    target = DAY + timedelta(days=1)
    put(warehouse, plan, planned(target, price=8.0, promotion=1.0), known=before_cutoff(days=9))
    put(warehouse, plan, planned(target, price=7.0), known=before_cutoff(days=2))
    old = panel(warehouse, AsOf(DAY, before_cutoff(days=3)), days=20)
    new = panel(warehouse, days=20)
    assert (old.price[0, 20], old.promotion[0, 20]) == (8, 1)
    assert (new.price[0, 19], new.price[0, 20], new.price[0, 21]) == (10, 7, 7)
    assert new.promotion[0, 20] == 0, "the second plan no longer has the promotion"


def test_item_plan_beats_store_plan_beats_the_sale(warehouse: Engine) -> None:
    put(
        warehouse,
        sales,
        sale(DAY, 1, price=5.0, promotion=0.1, holiday=1.0, covariates={"wind": 1, "people": 9}),
        sale(DAY, 1, name="y", price=6.0, promotion=0.2),
    )
    put(warehouse, plan, planned(DAY, name="", promotion=0.5, price=4.0, covariates={"wind": 2}))
    put(warehouse, plan, planned(DAY, promotion=0.9, covariates={"wind": True, "sun": "bright"}))
    put(warehouse, plan, planned(DAY, store="B", name="", promotion=0.7))
    got = panel(warehouse, days=1)
    np.testing.assert_array_equal(got.promotion[:, 0], np.float32([0.9, 0.5]))
    np.testing.assert_array_equal(got.price[:, 0], [4, 4])
    np.testing.assert_array_equal(got.holiday[:, 0], [1, 0])
    np.testing.assert_array_equal(got.covariates["wind"][:, 0], [1, 2])
    assert np.isnan(got.covariates["sun"]).all()
    assert got.history_only == {"people"}, "it is not planned, so it is not known ahead"
    np.testing.assert_array_equal(got.covariates["people"][0], 9)
    assert got.planned == {"price", "promotion"}


def test_closed_days(warehouse: Engine) -> None:
    put(
        warehouse,
        sales,
        sale(before(4), 1),
        sale(before(2), 0, open=False),
        sale(before(1), 3),
        sale(DAY, 1),
    )
    put(warehouse, plan, planned(before(1), name="", open=False))
    put(warehouse, plan, planned(before(3), name="", open=False))
    put(warehouse, plan, planned(DAY + timedelta(days=1), name="", open=False))
    with begin(warehouse) as conn:
        conn.execute(
            insert(calendar),
            [
                {"business_date": DAY + timedelta(days=2), "open": False, "holiday": "Spring"},
                {"business_date": DAY + timedelta(days=3), "open": True, "holiday": None},
            ],
        )
    got = panel(warehouse)
    # The day with units sold was open, whatever the plan said.
    np.testing.assert_array_equal(got.open[0, :9], [1, 0, 0, 1, 1, 0, 0, 1, 1])
    np.testing.assert_array_equal(got.units[0], [1, 0, 0, 3, 1])
    assert np.flatnonzero(got.public_holiday).tolist() == [6]


def test_only_the_series_asked_for(warehouse: Engine) -> None:
    put(
        warehouse,
        sales,
        *(sale(before(1), u, s, n) for u, s, n in [(1, "A", "x"), (2, "A", "y"), (5, "B", "x")]),
        sale(DAY, 2, "B", "z"),
    )
    put(warehouse, plan, planned(DAY, name="", promotion=1.0))
    assert panel(warehouse, stores=["B"]).item_ids.tolist() == ["x", "z"]
    assert panel(warehouse, items=["y"]).promotion[0, 4] == 1
    best = panel(warehouse, top_items=2)
    assert [*zip(best.store_ids, best.item_ids, strict=True)] == [
        ("A", "x"),
        ("A", "y"),
        ("B", "x"),
    ]


def test_actuals_follow_the_order_asked_for(warehouse: Engine) -> None:
    put(warehouse, sales, sale(before(1), 3), sale(DAY, 4, name="y"), sale(DAY, 9, name="other"))
    with connect(warehouse) as conn:
        wanted = [("A", "y"), ("A", "never"), ("A", "x")]
        got = read_actuals(conn, AS_OF, before(1), DAY, wanted)
        np.testing.assert_array_equal(got, [[0, 4], [0, 0], [3, 0]])
        with pytest.raises(ValueError, match="asked for as of"):
            read_actuals(conn, AS_OF, DAY, DAY + timedelta(days=1), wanted)


def test_no_sales_known(warehouse: Engine) -> None:
    put(warehouse, sales, sale(DAY, 1), known=CUTOFF + timedelta(hours=1))
    with pytest.raises(NoData, match="No sales of 2026-03-06 to 2026-03-10 were known") as error:
        panel(warehouse)
    json.dumps(error.value.as_json())
