"""A real scheduler: runs that are refused, that others start, and that miss their time.

test_demo.py watches seven days land, and the same again.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from daybreak.clock import AsOf
from daybreak.models.base import Trained
from daybreak.runtime import Runtime
from daybreak.settings import Settings
from daybreak.warehouse.engine import connect, make_engine
from first_champion import put_in_force
from shop import TRAINED, Shop, open_shop, wait_until

pytestmark = [pytest.mark.slow, pytest.mark.timeout(2400)]

LAST = date(2026, 2, 28)
"""The newest closed day."""


@pytest.fixture(scope="module")
def shop() -> Iterator[Shop]:
    """One platform for all tests here: it takes some 20 s to open."""
    # Not below pytest's own folder: any other pytest that starts closes that to other users, and
    # PostgreSQL runs as one of them where the tests run as root.
    with tempfile.TemporaryDirectory(prefix="dbk-shop-", dir="/tmp") as home:
        opened = open_shop(Path(home))
        yield opened
        opened.engine.dispose()
        opened.installation.must("down")
        assert opened.installation.processes() == []


def ask_airflow(shop: Shop, query: str, **values: Any) -> list[Any]:
    """Rows of Airflow's own metadata."""
    metadata = make_engine(str(shop.engine.url.set(database="airflow", username="airflow")))
    try:
        with connect(metadata) as conn:
            return list(conn.execute(text(query), values))
    finally:
        metadata.dispose()


def shown(shop: Shop, run_type: str) -> list[Any]:
    """What the list of tasks says beside ``wait_for_inputs``, the newest run first."""
    return ask_airflow(
        shop,
        "SELECT t.rendered_map_index AS said, t.state, t.try_number FROM task_instance t "
        "JOIN dag_run r USING (dag_id, run_id) WHERE t.task_id = 'wait_for_inputs' "
        "AND t.dag_id = 'daily_forecast' AND r.run_type = :run_type ORDER BY r.id DESC",
        run_type=run_type,
    )


def alerts(shop: Shop) -> list[str]:
    """What Airflow's triggerer kept of the callbacks that went well."""
    rows = ask_airflow(shop, "SELECT output FROM callback WHERE state = 'success'")
    return [row.output for row in rows]


def trigger(shop: Shop, *arguments: str) -> str:
    """What the list of tasks says of a run that a person starts, once it has failed."""
    runs = len(shown(shop, "manual"))
    shop.airflow("dags", "trigger", "daily_forecast", *arguments)

    def ended() -> Any:
        found = shown(shop, "manual")
        return len(found) > runs and found[0].state == "failed" and found[0]

    return str(wait_until(ended, "the refusal of a run").said)


def test_a_run_that_would_wait_in_vain_is_refused_and_says_so(shop: Shop) -> None:
    """The form proposes now as the logical date; `ingest` is paused here."""
    shop.airflow("dags", "unpause", "daily_forecast")
    now = datetime.now(UTC)
    said = trigger(shop, "--logical-date", now.isoformat())
    assert said.startswith(f"Business day {now:%Y-%m-%d} is not over before ")
    assert "Business date 2026-02-28, the newest closed day" in said
    said = trigger(shop, "--conf", '{"business_date": "2026-03-05"}')
    assert said.startswith("Business day 2026-03-05 is not closed and nothing is on its way: ")


def test_what_the_forecast_publishes_starts_the_model_that_stands_on_it(shop: Shop) -> None:
    """By the asset, whose event says the day; and by a backfill of its own."""
    home = Path(shop.installation.env["DAYBREAK_HOME"])
    runtime = Runtime(Settings(home=home, dataset="synthetic"))
    formula = Trained(None, {"engine": "none", "features": [], "trained_through": "2026-02-20"})
    as_of = AsOf(TRAINED, datetime(2026, 2, 21, 2, tzinfo=UTC))
    put_in_force(runtime, "stock_cover", formula, as_of)
    runtime.engine.dispose()

    def landed(run_type: str) -> list[Any]:
        return [row.business_date for row in shop.sla(run_type) if row.model == "stock_cover"]

    for dag_id in ("daily_forecast", "daily_stock_cover"):
        shop.airflow("dags", "unpause", dag_id)
    scheduled = "SELECT * FROM dag_schedule_asset_reference WHERE dag_id = 'daily_stock_cover'"
    wait_until(lambda: ask_airflow(shop, scheduled), "the DAG to be known")
    shop.airflow("dags", "trigger", "daily_forecast", "--conf", f'{{"business_date": "{LAST}"}}')
    wait_until(lambda: landed("asset_triggered"), "the run by the asset")
    assert landed("asset_triggered") == [LAST]

    only = ("--from-date", f"{LAST}T00:00:00", "--to-date", f"{LAST}T23:59:00")
    shop.airflow("backfill", "create", "--dag-id", "daily_stock_cover", *only)
    wait_until(lambda: landed("backfill"), "its backfill")
    assert landed("backfill") == [LAST]


def test_a_night_that_waits_past_its_due_time_is_a_miss_at_once(shop: Shop) -> None:
    """The scheduled run of yesterday waits for a day that the shop's data do not reach."""
    shop.airflow("dags", "unpause", "daily_forecast")

    (row,) = wait_until(lambda: shop.sla("scheduled"), "the deadline alert of the night")
    assert (row.status, row.landed_at, row.generation_id) == ("missed", None, None)
    assert row.deadline_fired_at is not None
    assert row.run_key.startswith("daily_forecast/scheduled__")
    assert row.due_at < row.deadline_fired_at
    kept = f"sales_forecast of {row.business_date}: missed"
    wait_until(lambda: kept in alerts(shop), "the triggerer to note its alert, and to live")
    (waiting,) = wait_until(lambda: [one for one in shown(shop, "scheduled") if one.said], "a look")
    assert waiting.said.startswith("Waiting for business day ")
    assert "newest closed day: 2026-02-28; gives up at " in waiting.said
    assert {one.status for one in shop.sla("backfill")} <= {"not_counted"}
