"""What starts the nights, executed: another model's scores, data that landed, one weekday."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, date, datetime
from typing import Any

import pytest
from sqlalchemy import create_engine, text

from dag_runner import ROOT, STEPS, DagRunner, counted
from daybreak.clock import AsOf
from daybreak.models.base import Trained
from daybreak.runtime import Runtime
from daybreak.settings import Settings
from daybreak.warehouse.engine import connect
from first_champion import put_in_force

pytestmark = pytest.mark.slow

FORECAST, ON_SCORES = "daily_forecast", "daily_stock_cover"
SUNDAY, MONDAY, LAST = "2026-02-22", "2026-02-23", "2026-02-28"


@pytest.fixture(scope="module")
def runtime(dag_runner: DagRunner) -> Iterator[Runtime]:
    """For a look at what the processes wrote."""
    named = {name: dag_runner.env[f"DAYBREAK_{name.upper()}"] for name in ("home", "warehouse_url")}
    given: dict[str, Any] = named
    made = Runtime(Settings(**given))
    yield made
    made.engine.dispose()


@pytest.fixture(scope="module")
def shop(dag_runner: DagRunner, runtime: Runtime) -> DagRunner:
    """Champions of all three models; the third is found on the path."""
    dag_runner.env["PYTHONPATH"] = str(ROOT / "tests" / "outside" / "on_scores")
    dag_runner.daybreak("warehouse", "migrate")
    dag_runner.open_shop("2026-02-20")
    formula = Trained(None, {"engine": "none", "features": [], "trained_through": "2026-02-20"})
    as_of = AsOf(date(2026, 2, 20), datetime(2026, 2, 21, 2, tzinfo=UTC))
    put_in_force(runtime, "stock_cover", formula, as_of)
    return dag_runner


def by_model(**intervals: str) -> dict[str, str]:
    return {"DAYBREAK_SCHEDULE_BY_MODEL": json.dumps(intervals)}


def at(day: str) -> str:
    return f"{day}T02:00:00+00:00"


def read(runtime: Runtime, query: str, **values: Any) -> list[dict[str, Any]]:
    with connect(runtime.engine) as conn:
        return [dict(row) for row in conn.execute(text(query), values).mappings()]


WITHOUT_PARTS = {step: times for step, times in STEPS.items() if step != "read_shard"}
ONE_SHARD = {**WITHOUT_PARTS, "build_shard": 1}  # of a snapshot whose entities are not counted


def of_the_sensor(result: dict[str, Any]) -> dict[str, Any]:
    (waited,) = (task for task in result["tasks"] if task["task_id"] == "wait_for_inputs")
    return waited


def test_a_model_on_other_scores_is_run_by_them_by_hand_and_skipped_on_other_weekdays(
    shop: DagRunner, runtime: Runtime
) -> None:
    results, log = shop.run(
        {"dag_id": FORECAST, "logical_date": at(MONDAY)},
        {"dag_id": ON_SCORES, "asset": "sales_forecast_published"},
        {"dag_id": ON_SCORES, "logical_date": at(MONDAY)},
    )
    states = [(one["state"], counted(one)) for one in results]
    shared = {step: times for step, times in ONE_SHARD.items() if step != "build_shard"}
    expected = [STEPS, ONE_SHARD, shared]  # the second run by hand finds the snapshot there
    assert states == [("success", steps) for steps in expected], log
    for result in results[1:]:
        (event,) = result["events"]
        assert (event["model"], event["business_date"]) == ("stock_cover", MONDAY)
    recorded = read(
        runtime,
        "SELECT run_type, business_date::text, status FROM ops.sla WHERE model = 'stock_cover' "
        "ORDER BY recorded_at",
    )
    assert recorded == [
        {"run_type": kind, "business_date": MONDAY, "status": "not_counted"}
        for kind in ("asset_triggered", "manual")
    ], "the day is in the past"

    (weekly,), _ = shop.run(
        {"dag_id": ON_SCORES, "asset": "sales_forecast_published"},
        **by_model(stock_cover="weekly:sunday"),
    )
    assert (weekly["state"], counted(weekly), weekly["events"]) == ("success", {}, [])
    waited = of_the_sensor(weekly)
    assert waited["state"] == "skipped"
    assert waited["shown"] == (
        "stock_cover is scored weekly:sunday, and business day 2026-02-23 is a Monday."
    )


def test_a_weekly_model_scores_its_weekday_and_is_not_stale_on_others(
    shop: DagRunner, runtime: Runtime
) -> None:
    (result,), _ = shop.run(
        {"dag_id": "daily_recommendations", "logical_date": at(SUNDAY)},
        **by_model(recommendations="weekly:sunday"),
        DAYBREAK_ENTITIES_PER_SHARD="30",
    )
    assert (result["state"], counted(result)) == ("success", WITHOUT_PARTS)
    (row,) = read(
        runtime,
        "SELECT newest::text, newest_closed::text, newest_expected::text, age_days, interval "
        "FROM report.freshness WHERE model = 'recommendations'",
    )
    assert row == {
        "newest": SUNDAY,
        "newest_closed": LAST,  # a Saturday
        "newest_expected": SUNDAY,
        "age_days": 0,
        "interval": "weekly:sunday",
    }


def test_a_model_by_data_is_run_once_for_a_day_that_landed(
    shop: DagRunner, runtime: Runtime
) -> None:
    # The shop's facts are loaded; its last day is open again until the ingest closes it.
    owner = create_engine(shop.env["DAYBREAK_WAREHOUSE_OWNER_URL"])
    with owner.begin() as conn:
        conn.execute(text("DELETE FROM raw.day_closed WHERE business_date = :day"), {"day": LAST})
    owner.dispose()
    (landed, scored, again, nothing), _ = shop.run(
        {"dag_id": "ingest", "logical_date": "2026-03-02T00:00:00+00:00"},
        {"dag_id": FORECAST, "asset": "raw_facts"},
        {"dag_id": FORECAST, "asset": "raw_facts"},
        {"dag_id": "ingest", "logical_date": "2026-03-02T00:15:00+00:00"},
        **by_model(sales_forecast="on_data"),
    )
    assert counted(landed) == {"load_new_files": 1, "announce": 1}
    (event,) = landed["events"]
    assert (event["days_closed"], event["business_date"]) == (1, LAST)
    assert (scored["state"], counted(scored)) == ("success", STEPS)
    assert scored["events"][0]["business_date"] == LAST
    assert counted(again) == {}
    assert of_the_sensor(again)["shown"] == (
        f"Business day {LAST} is published already, and no later day is closed."
    )
    assert (nothing["state"], counted(nothing)) == ("success", {"load_new_files": 1})
    assert nothing["events"] == []
    (row,) = read(
        runtime,
        "SELECT g.cutoff = d.closed_at AS at_closing, s.status, "
        "s.due_at - d.closed_at = interval '4 hours' AS due_from_closing "
        "FROM ops.generation g JOIN raw.day_closed d USING (business_date) "
        "JOIN ops.sla s USING (generation_id) "
        "WHERE g.model = 'sales_forecast' AND g.business_date = :day",
        day=LAST,
    )
    # The shop says when its facts arrived, which is months ago.
    assert row == {"at_closing": True, "due_from_closing": True, "status": "not_counted"}
