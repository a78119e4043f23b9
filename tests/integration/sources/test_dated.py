"""Costs, prices of competitors and stock: what is new, what is corrected, when it was known."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sqlalchemy import Engine

from daybreak.clock import AsOf
from daybreak.facts.costs import read_competitors, read_costs, read_stock
from daybreak.sources.contract.spec import load_spec
from daybreak.sources.load import load_dataset
from daybreak.sources.report import LoadReport

NOW = datetime(2026, 1, 1, tzinfo=UTC)
LATER = NOW + timedelta(days=1)
MICROSECOND = timedelta(microseconds=1)
FIRST, SECOND = date(2025, 3, 1), date(2025, 3, 2)  # the days of the sales that are loaded along

Load = Callable[..., LoadReport]
Rows = Callable[[str], list[tuple[Any, ...]]]

COSTS = """
arrival_lag: 1h
costs:
  files: ${HERE}/costs*.csv
  columns: {business_date: since, store_id: store, item_id: sku, cost: cost}
  max_bad_share: 0.9
"""
COST_HEAD = "since,store,sku,cost\n"
COST_ROWS = (
    "SELECT business_date, store_id, item_id, cost, loaded_at FROM raw.cost "
    "ORDER BY loaded_at, business_date, store_id, item_id"
)
COMPETITORS = """
competitors:
  files: ${HERE}/seen.csv
  columns: {business_date: day, item_id: sku, competitor: who, price: price}
  max_bad_share: 0.9
"""
STOCK = """
stock:
  files: ${HERE}/stock.csv
  columns: {business_date: day, store_id: store, item_id: sku, units: left}
  max_bad_share: 0.9
"""
BAD = "SELECT row_number, field, reason FROM raw.quarantine ORDER BY row_number"


def close(day: date, lag: timedelta = timedelta(hours=1)) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=UTC) + timedelta(days=1) + lag


def test_a_cost_is_known_at_the_close_of_its_day_and_may_hold_for_all_stores(
    load: Load, rows: Rows
) -> None:
    lines = "2025-03-02,,x,1.25\n2025-03-01,a,x,1.5\n2027-01-01,,x,0\n"

    report = load(COSTS, {"costs.csv": COST_HEAD + lines})

    assert rows(COST_ROWS) == [
        (FIRST, "a", "x", 1.5, close(FIRST)),
        (SECOND, "", "x", 1.25, close(SECOND)),
        (date(2027, 1, 1), "", "x", 0, NOW),  # announced, so it is known already
    ]
    assert (report.files[-1].loaded, report.last_closed) == (3, SECOND)


def test_equal_rows_add_nothing_and_other_values_are_known_from_now_on(
    load: Load, rows: Rows
) -> None:
    load(COSTS, {"costs.csv": COST_HEAD + "2025-03-01,,x,1.5\n2025-03-01,,y,2\n"})
    again = load(COSTS, {"costs.csv": COST_HEAD + "2025-03-01,,y,2\n\n2025-03-01,,x,1.5\n"}, LATER)
    assert again.files[-1].loaded == 0
    assert not again.files[-1].already_loaded

    changed = load(COSTS, {"costs.csv": COST_HEAD + "2025-03-01,,x,1.4\n"}, LATER)

    assert changed.files[-1].loaded == 1
    assert rows(COST_ROWS)[2:] == [(FIRST, "", "x", 1.4, LATER)]
    back = load(COSTS, {"costs.csv": COST_HEAD + "2025-03-01,,x,1.5\n\n"}, LATER)
    assert back.files[-1].loaded == 1
    assert rows(COST_ROWS)[3:] == [(FIRST, "", "x", 1.5, LATER + MICROSECOND)]


@pytest.mark.parametrize("day", ["2024-12-31", "2025-03-01", "2025-03-02"])
def test_a_value_that_a_closed_day_could_have_seen_is_known_from_now_on(
    load: Load, rows: Rows, day: str
) -> None:
    """Also from a date before the first sales, which nobody ever closes."""
    load("arrival_lag: 1h", {})

    load(COSTS, {"costs.csv": COST_HEAD + f"{day},,x,1.5\n2025-03-03,,x,1\n"}, LATER)

    third = date(2025, 3, 3)
    assert rows(COST_ROWS) == [
        (third, "", "x", 1, close(third)),
        (date.fromisoformat(day), "", "x", 1.5, LATER),
    ]


def test_a_day_that_was_closed_before_its_facts_were_due_is_closed(load: Load, rows: Rows) -> None:
    """A load within ``arrival_lag`` of midnight closes the day with what there is by then."""
    sold = {"sales.csv": "day,store,sku,qty\n2025-12-31,a,x,2\n"}
    early = datetime(2026, 1, 1, 0, 30, tzinfo=UTC)
    load("arrival_lag: 1h", sold, early)
    assert rows("SELECT closed_at FROM raw.day_closed") == [(early,)]

    load(COSTS, {**sold, "costs.csv": COST_HEAD + "2025-12-31,,x,1.5\n"}, LATER)

    assert rows(COST_ROWS) == [(date(2025, 12, 31), "", "x", 1.5, LATER)]


def test_loading_in_steps_gives_the_same_rows_and_clocks(load: Load, rows: Rows) -> None:
    files = {"costs.csv": COST_HEAD + "2025-01-01,,x,1\n2025-03-01,,x,2\n2025-03-02,a,x,3\n"}
    for through in (FIRST, SECOND, None):
        load(COSTS, files, through=through)

    assert rows(COST_ROWS) == [
        (date(2025, 1, 1), "", "x", 1, close(date(2025, 1, 1))),
        (FIRST, "", "x", 2, close(FIRST)),
        (SECOND, "a", "x", 3, close(SECOND)),
    ]


def test_bad_costs_are_kept_apart(load: Load, rows: Rows) -> None:
    lines = [
        "2025-03-01,,x,1.5",
        "2025-03-01,,x,1.6",  # the same key, which has no store
        "2025-03-01,a,x,1.6",
        "2025-03-01,,y,-1",
        "2025-03-01,,y,",
        ",,y,1",
        "2025-03-01,,,1",
        "2025-03-01,,y,cheap",
    ]

    load(COSTS, {"costs.csv": COST_HEAD + "\n".join(lines) + "\n"})

    assert rows(BAD) == [
        (2, "business_date, store_id, item_id", "repeats the key of an earlier row"),
        (4, "cost", "is negative"),
        (5, "cost", "is absent"),
        (6, "business_date", "is absent"),
        (7, "item_id", "is absent"),
        (8, "cost", "is not a number"),
    ]
    assert [row[1:4] for row in rows(COST_ROWS)] == [("", "x", 1.5), ("a", "x", 1.6)]


VINTAGES = COSTS.replace("cost: cost}", "cost: cost, known_at: at}")
VINTAGE_HEAD = "since,store,sku,cost,at\n"
FIRST_PLANNED = datetime(2025, 2, 1, 10, tzinfo=UTC)
THEN_PLANNED = datetime(2025, 2, 20, 10, tzinfo=UTC)


def vintages(first: str = "5", then: str = "4") -> dict[str, str]:
    lines = [f"2025-03-01,,x,{first},2025-02-01 10:00", f"2025-03-01,,x,{then},2025-02-20 10:00"]
    return {"costs.csv": VINTAGE_HEAD + "\n".join(lines) + "\n"}


def test_a_row_may_say_when_it_was_known(load: Load, rows: Rows) -> None:
    load(VINTAGES, vintages())
    known = [(row[3], row[4]) for row in rows(COST_ROWS)]
    assert known == [(5, FIRST_PLANNED), (4, THEN_PLANNED)]

    load(VINTAGES, {"costs.csv": vintages()["costs.csv"] + "\n"}, LATER)
    assert len(rows(COST_ROWS)) == 2
    load(VINTAGES, vintages(first="6"), LATER)
    assert len(rows(COST_ROWS)) == 2, "what a later moment has replaced changes nothing now"

    for _ in range(2):
        load(VINTAGES, vintages(then="3"), LATER)
    assert [(row[3], row[4]) for row in rows(COST_ROWS)][2:] == [(3, LATER)]


def test_without_a_moment_of_its_own_a_row_is_known_at_the_close_of_its_day(
    load: Load, rows: Rows
) -> None:
    lines = "2025-03-01,,x,5,\n2025-03-01,,x,5,\n2025-03-02,,x,4,2027-01-01\n"
    load(VINTAGES, {"costs.csv": VINTAGE_HEAD + lines})

    expected = [(FIRST, "", "x", 5, close(FIRST)), (SECOND, "", "x", 4, NOW)]
    assert rows(COST_ROWS) == expected  # nothing is known later than now
    assert len(rows(BAD)) == 1, "two rows of a key without a moment"
    load(VINTAGES, {"costs.csv": VINTAGE_HEAD + lines + "\n"}, LATER)
    assert rows(COST_ROWS) == expected


def test_what_is_known_after_the_asked_date_waits(load: Load, rows: Rows) -> None:
    lines = (
        "2025-03-09,,x,5,2025-03-01 10:00\n2025-03-09,,x,4,2025-03-02 10:00\n"
        "2025-03-01,,y,1,\n2025-03-02,,y,2,\n"
    )
    load(VINTAGES, {"costs.csv": VINTAGE_HEAD + lines}, through=FIRST)
    assert [row[2:4] for row in rows(COST_ROWS)] == [("x", 5), ("y", 1)]

    load(VINTAGES, {"costs.csv": VINTAGE_HEAD + lines})
    assert [row[2:4] for row in rows(COST_ROWS)] == [("x", 5), ("y", 1), ("x", 4), ("y", 2)]


def test_prices_of_competitors(load: Load, rows: Rows) -> None:
    lines = [
        "2025-03-01,x,north,1.99",
        "2025-03-01,x,south,2.49",
        "2025-03-01,x,south,2.59",
        "2025-03-01,x,west,0",
        "2025-03-01,x,west,-1",
        "2025-03-01,x,,1",
        "2026-02-01,x,west,1",
    ]
    files = {"seen.csv": "day,sku,who,price\n" + "\n".join(lines) + "\n"}
    load(COMPETITORS, files)

    query = (
        "SELECT store_id, item_id, competitor, price, loaded_at FROM raw.competitor_price "
        "ORDER BY loaded_at, competitor"
    )
    known = close(FIRST, timedelta(0))
    assert rows(query) == [("", "x", "north", 1.99, known), ("", "x", "south", 2.49, known)]
    assert rows(BAD) == [
        (3, "business_date, item_id, competitor", "repeats the key of an earlier row"),
        (4, "price", "is zero"),
        (5, "price", "is negative"),
        (6, "competitor", "is absent"),
        (7, "business_date", "is in the future"),
    ]
    corrected = {"seen.csv": files["seen.csv"].replace("2.49", "2.39")}
    assert load(COMPETITORS, corrected, LATER).files[-1].loaded == 1
    assert rows(query)[2:] == [("", "x", "south", 2.39, LATER)]


def test_stock(load: Load, rows: Rows) -> None:
    lines = [
        "2025-03-01,a,x,4",
        "2025-03-02,a,x,0.5",
        "2025-03-02,,x,4",
        "2025-03-02,a,y,-1",
        "2025-03-02,a,z,99999999",
        "2025-03-02,a,x,7",
        "2026-02-01,a,x,1",
    ]
    files = {"stock.csv": "day,store,sku,left\n" + "\n".join(lines) + "\n"}
    load(STOCK, files)

    query = "SELECT business_date, store_id, item_id, units, loaded_at FROM raw.stock ORDER BY 5, 4"
    assert rows(query) == [
        (FIRST, "a", "x", 4, close(FIRST, timedelta(0))),
        (SECOND, "a", "x", 0.5, close(SECOND, timedelta(0))),
    ]
    assert rows(BAD) == [
        (3, "store_id", "is absent"),
        (4, "units", "is negative"),
        (5, "units", "is beyond 2^24"),
        (6, "business_date, store_id, item_id", "repeats the key of an earlier row"),
        (7, "business_date", "is in the future"),
    ]
    corrected = {"stock.csv": files["stock.csv"].replace("a,x,4", "a,x,3")}
    assert load(STOCK, corrected, LATER).files[-1].loaded == 1
    assert rows(query)[2:] == [(FIRST, "a", "x", 3, LATER)]


def test_they_close_no_days_and_several_places_may_hold_them(load: Load, rows: Rows) -> None:
    section = """
    stock:
      - files: ${HERE}/one.csv
        columns: &same {business_date: d, store_id: s, item_id: i, units: u}
      - files: ${HERE}/two.csv
        columns: *same
    """
    head = "d,s,i,u\n"
    report = load(
        section, {"one.csv": head + "2025-03-01,a,x,1\n", "two.csv": head + "2025-06-01,b,x,1\n"}
    )

    assert report.last_closed == SECOND
    assert rows("SELECT store_id FROM raw.stock ORDER BY 1") == [("a",), ("b",)]


@pytest.mark.docs
def test_the_example_of_the_contract(load: Load, rows: Rows) -> None:
    page = (Path(__file__).parents[3] / "docs" / "data-contract.md").read_text()
    _, _, rest = page.partition("```yaml\ncosts:")
    files = {
        "costs.csv": "valid_from,store,sku,unit_cost\n2025-03-01,,x,1.25\n",
        "prices-of-others-1.csv": "seen_on,sku,shop,price,scraped_at\n"
        "2025-03-01,x,north,1.99,2025-03-01 09:30\n",
        "stock-1.csv": "date,store,sku,on_hand\n2025-03-02,a,x,7\n",
    }

    load("costs:" + rest.partition("```")[0], files)

    assert rows("SELECT cost FROM raw.cost") == [(1.25,)]
    seen_at = datetime(2025, 3, 1, 9, 30, tzinfo=UTC)
    assert rows("SELECT price, loaded_at FROM raw.competitor_price") == [(1.99, seen_at)]
    assert rows("SELECT units FROM raw.stock") == [(7,)]


def test_the_synthetic_shop_gives_what_prices_are_set_by(
    warehouse: Engine, rows: Rows, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop = {"STORES": "2", "ITEMS": "6", "USERS": "20", "START": "2026-03-01", "END": "2026-05-05"}
    for name, value in shop.items():
        monkeypatch.setenv(f"DAYBREAK_SYNTHETIC_{name}", value)
    now = datetime(2026, 7, 1, tzinfo=UTC)
    spec = load_spec("synthetic")
    day = date(2026, 4, 28)
    as_of = AsOf(day, datetime(2026, 4, 29, 1, tzinfo=UTC))  # two hours after its end
    series = [(f"S00{store}", f"I000{item}") for store in (1, 2) for item in range(1, 7)]

    def known() -> list[np.ndarray]:
        with warehouse.connect() as conn:
            price, age = read_competitors(conn, as_of, series, newest_days=7, of="lowest")
            return [
                read_costs(conn, as_of, series),
                price,
                age,
                read_stock(conn, as_of, series),
            ]

    load_dataset(warehouse, spec, now=now, through=day)
    first = known()
    assert all(np.isfinite(values).all() for values in first)
    assert (first[2] == 1).all(), "seen on Monday, the day before"
    load_dataset(warehouse, spec, now=now)
    np.testing.assert_array_equal(np.array(known()), np.array(first))
    assert rows("SELECT max(business_date) FROM raw.stock") == [(date(2026, 5, 5),)]
    assert load_dataset(warehouse, spec, now=now).loaded == 0


Costs = dict[tuple[date, str, str], float]


@pytest.mark.parametrize("seed", range(4))
def test_whatever_is_delivered_is_read_as_it_was_known(
    load: Load, warehouse: Engine, seed: int
) -> None:
    """Costs over and over: at any cutoff, what is read is what was delivered by then.

    They are of closed days, the last of which was closed early, or of days to come: both are known
    from their delivery on.
    """
    rng = np.random.default_rng(seed)
    sold = "day,store,sku,qty\n2025-12-20,a,x,2\n2025-12-31,a,x,3\n"
    moments = [NOW + timedelta(days=n) for n in range(6)]
    delivered: list[Costs] = []
    for number, moment in enumerate(moments):
        days = np.concatenate([np.arange(-4, 0), np.arange(number, 9)])
        costs: Costs = {
            (NOW.date() + timedelta(days=int(day)), str(store), str(item)): float(cost)
            for day, store, item, cost in zip(
                rng.choice(days, 12),
                rng.choice(["", "a", "b"], 12),
                rng.choice(["x", "y"], 12),
                rng.integers(1, 5, 12),
                strict=True,
            )
        }
        lines = "".join(
            f"{day},{store},{item},{cost}\n" for (day, store, item), cost in costs.items()
        )
        load(COSTS, {"sales.csv": sold, "costs.csv": COST_HEAD + lines}, moment)
        delivered.append(costs)
    asked = [(store, item) for store in "abc" for item in "xy"]
    known: Costs = {}
    with warehouse.connect() as conn:
        for moment, costs in zip(moments, delivered, strict=True):
            known |= costs
            for day in (NOW.date() + timedelta(days=n) for n in range(-5, 10)):
                right = [_in_force(known, day, *one) for one in asked]
                for cutoff in (moment, moment + timedelta(hours=23)):
                    np.testing.assert_array_equal(read_costs(conn, AsOf(day, cutoff), asked), right)


def _in_force(known: Costs, day: date, store: str, item: str) -> float:
    for where in (store, ""):
        days = [since for since, *of in known if of == [where, item] and since <= day]
        if days:
            return known[max(days), where, item]
    return float("nan")
