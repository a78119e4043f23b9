"""What became of proposed prices, against a slow reading of the facts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import Engine, text

from daybreak.jobs.publishing import rollback
from daybreak.ledger.generations import get_generation
from daybreak.runtime import Runtime
from daybreak.warehouse.engine import begin, connect
from price_outcomes import Facts, outcomes
from price_shop import LAST, write_shop
from price_site import PRICES, Site, filled, night, rows, score

pytestmark = pytest.mark.slow

DAY = LAST - timedelta(days=9)
DAYS = 7
OUTCOME = (
    "SELECT * FROM report.price_outcome WHERE business_date = :day "
    'ORDER BY store_id COLLATE "C", item_id COLLATE "C"'
)
RESULTS = "SELECT * FROM report.price_results WHERE business_date = :day"


@pytest.fixture(scope="module")
def site(postgres: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("shop")
    with filled(postgres, folder, write_shop(folder, changes_a_night=40), DAY) as made:
        yield made


@pytest.fixture
def warehouse_url(postgres: Any, site: Site) -> Iterator[str]:
    with postgres.database(site.database) as name:
        yield postgres.url(name)


@pytest.fixture
def at(make_runtime: Callable[..., Runtime], site: Site) -> Callable[..., Runtime]:
    """The runtime of an hour of the night after ``DAY``."""
    given = {"home": site.home, "dataset": str(site.dataset)}
    return lambda hour: make_runtime(now=night(DAY, hour), **given)


def happen(runtime: Runtime, generation: int) -> None:
    """The days after: the shop follows some proposals, and not others, in different ways."""
    insert = """
        INSERT INTO raw.sales (business_date, store_id, item_id, units, price, promotion, open,
            load_id, loaded_at)
        SELECT sale.business_date, store_id, item_id, {units}, {price}, promotion, open,
            sale.load_id, sale.loaded_at + interval '{later} hours'
        FROM raw.sales AS sale JOIN score.pricing AS score USING (store_id, item_id)
        WHERE score.generation_id = :generation AND sale.business_date > :day AND {where}
    """
    kinds = [
        ("sale.units", "score.price / 100", "item_id <= 'I0008'"),
        (
            "sale.units + 1",
            "score.price / 100",
            "item_id = 'I0009' AND sale.business_date > :day + 1",
        ),
        ("sale.units", "NULL", "item_id = 'I0010' AND sale.business_date = :day + 3"),
        ("0", "NULL", "item_id = 'I0011'"),
    ]
    with begin(runtime.engine) as conn:
        for later, (units, price, where) in enumerate(kinds, 1):
            conn.execute(
                text(insert.format(units=units, price=price, where=where, later=later)),
                {"generation": generation, "day": DAY},
            )
        # Costs that nobody knew by the night, and one that is not known at all.
        conn.execute(
            text(
                "INSERT INTO raw.cost (business_date, store_id, item_id, cost, load_id, loaded_at) "
                "SELECT business_date, 'S001', item_id, cost * 2, 99, :late FROM raw.cost "
                "WHERE item_id < 'I0005'"
            ),
            {"late": night(DAY, 30)},
        )


def forget_costs(warehouse: Engine) -> None:
    """Two items have none, and one has another in one store."""
    with begin(warehouse) as conn:
        conn.execute(text("DELETE FROM raw.cost WHERE item_id IN ('I0003', 'I0012')"))
        conn.execute(
            text(
                "INSERT INTO raw.cost (business_date, store_id, item_id, cost, load_id, loaded_at) "
                "SELECT business_date, 'S002', item_id, cost * 0.5, 98, loaded_at FROM raw.cost "
                "WHERE item_id = 'I0004'"
            )
        )


def alike(found: list[dict[str, Any]], expected: list[dict[str, Any]]) -> None:
    assert len(found) == len(expected)
    for row, wanted in zip(found, expected, strict=True):
        for name, value in wanted.items():
            close = pytest.approx(value, rel=1e-5) if isinstance(value, float) else value
            assert row[name] == close, (row["store_id"], row["item_id"], name)


def test_outcomes_are_what_the_facts_say(at: Callable[..., Runtime], warehouse: Engine) -> None:
    forget_costs(warehouse)
    _, generation = score(at(3), DAY)
    happen(at(3), generation)
    with connect(at(3).engine) as conn:
        expected = outcomes(Facts(conn), get_generation(conn, generation), DAYS)
    found = rows(at(3), OUTCOME, day=DAY)
    alike(found, expected)

    # And the shop has all that could go wrong.
    assert {row["state"] for row in found} >= {"closed"}
    assert len({row["days"] for row in found}) > 1, "promotions are planned on some days"
    moved = [row for row in found if row["price"] != row["current_price"]]
    assert {True, False} <= {row["days_in_force"] == row["days"] for row in moved}
    assert any(0 < row["days_in_force"] < row["days"] for row in moved)
    assert {True, False} <= {row["within"] for row in found}
    unknown = {row["item_id"] for row in found if row["cost"] is None}
    assert unknown == {"I0003", "I0012"}
    assert all(row["margin"] is row["actual_margin"] is None for row in found if not row["cost"])
    assert any(row["cost"] and row["actual_margin"] is None for row in found)

    (summed,) = rows(at(3), RESULTS, day=DAY)
    held = [row for row in found if row["days_in_force"] == row["days"]]
    stays = Counter(row["rule"] for row in found if row["price"] == row["current_price"])
    assert summed["prices"] == len(found)
    assert summed["changes"] == len(moved)
    assert summed["changes_in_force"] == sum(row in held for row in moved)
    assert summed["kept"] == len(held) - summed["changes_in_force"]
    assert summed["stays_by"] == {rule: count for rule, count in stays.items() if rule}
    judged = [row["within"] for row in held]
    assert summed["within"] == pytest.approx(sum(judged) / len(judged))
    for moves, names in (
        (True, {"margin_before": "current_margin", "margin": "margin"}),
        (False, {"kept_margin": "margin", "kept_actual_margin": "actual_margin"}),
    ):
        counted = [
            row for row in held if (row in moved) is moves and row["actual_margin"] is not None
        ]
        assert counted
        for name, column in names.items():
            assert summed[name] == pytest.approx(sum(row[column] for row in counted), rel=1e-6)
    assert (summed["open"], summed["stopped"], summed["basis"]) == (0, 0, "published")


def test_what_is_not_over_is_open_and_says_nothing(
    at: Callable[..., Runtime], warehouse: Engine
) -> None:
    _, generation = score(at(3), DAY)
    with begin(warehouse) as conn:
        conn.execute(
            text("DELETE FROM raw.day_closed WHERE business_date = :day"),
            {"day": DAY + timedelta(days=DAYS)},
        )
    with connect(at(3).engine) as conn:
        expected = outcomes(Facts(conn), get_generation(conn, generation), DAYS)
    found = rows(at(3), OUTCOME, day=DAY)
    alike(found, expected)
    still = [row for row in found if row["state"] == "open"]
    assert still
    for name in ("days_in_force", "actual_units", "within", "actual_margin"):
        assert {row[name] for row in still} == {None}
    (summed,) = rows(at(3), RESULTS, day=DAY)
    assert summed["open"] == len(still)
    assert summed["changes"] > summed["changes_closed"]


def test_what_is_rolled_back_has_no_outcome(at: Callable[..., Runtime]) -> None:
    score(at(3), DAY)
    assert rows(at(3), OUTCOME, day=DAY)
    rollback(PRICES, DAY, at(12))
    assert rows(at(12), OUTCOME, day=DAY) == []
    assert rows(at(12), RESULTS, day=DAY) == []
