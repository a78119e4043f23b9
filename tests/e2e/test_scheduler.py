"""A real scheduler: a backfill of seven days, the same again, and a night that misses its time."""

from __future__ import annotations

import tempfile
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from shop import DAYS, ITEMS, STORES, TRAINED, Shop, open_shop, wait_until
from sqlalchemy import func, select, text

from daybreak.clock import AsOf
from daybreak.models.base import Trained
from daybreak.models.sales_forecast.options import DEFAULT_HORIZON
from daybreak.models.sales_forecast.tables import scores as score_sales_forecast
from daybreak.runtime import Runtime
from daybreak.settings import Settings
from daybreak.warehouse.engine import connect, make_engine
from daybreak.warehouse.tables import generation, published, sla
from first_champion import put_in_force

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1200)]

ROWS = STORES * ITEMS * DEFAULT_HORIZON
SEVEN_DAYS = ("--from-date", f"{DAYS[0]}T00:00:00", "--to-date", f"{DAYS[-1]}T23:59:59")


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


@dataclass
class Reader(threading.Thread):
    """An analyst who asks for the forecast in force again and again, and notes what was odd."""

    shop: Shop
    looks: int = 0
    days_seen: set[Any] = field(default_factory=set)
    odd: list[Any] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__(daemon=True)
        self.done = threading.Event()

    def __hash__(self) -> int:
        return id(self)

    def run(self) -> None:
        query = text(
            "SELECT business_date, generation_id, count(*) AS rows, "
            "count(DISTINCT (store_id, item_id, target_date)) AS cells "
            "FROM report.forecast GROUP BY business_date, generation_id"
        )
        with connect(self.shop.engine) as conn:
            while not self.done.is_set():
                found = conn.execute(query).all()
                conn.rollback()
                self.looks += 1
                self.done.wait(0.01)  # leaves the cores to what is being watched
                self.days_seen |= {row.business_date for row in found}
                whole = [(row.rows, row.cells) == (ROWS, ROWS) for row in found]
                if whole not in ([], [True]):
                    self.odd.append(found)


def rows_of(shop: Shop) -> list[Any]:
    """Every published row of the seven days with its bits, but not its generation."""
    columns = [column for column in score_sales_forecast.c if column.name != "generation_id"]
    query = (
        select(*columns)
        .join(published, published.c.generation_id == score_sales_forecast.c.generation_id)
        .where(score_sales_forecast.c.business_date.in_(DAYS))
        .order_by(*columns[:4])
    )
    with shop.read() as conn:
        return list(conn.execute(query))


def pointers(shop: Shop) -> dict[Any, int]:
    """Business date → published generation."""
    with shop.read() as conn:
        return dict(
            conn.execute(select(published.c.business_date, published.c.generation_id)).all()  # type: ignore[arg-type]
        )


def sla_rows(shop: Shop, run_type: str) -> list[Any]:
    query = select(sla).where(sla.c.run_type == run_type).order_by(sla.c.business_date)
    with shop.read() as conn:
        return list(conn.execute(query))


def watch(shop: Shop, finished: Any) -> Reader:
    """Read until ``finished`` says so; returns the reader."""
    reader = Reader(shop)
    reader.start()
    try:
        wait_until(finished, "the backfill's runs", patience=500)
    finally:
        reader.done.set()
        reader.join(30)
    return reader


def test_seven_days_land_whole_and_the_same_again(shop: Shop) -> None:
    shop.airflow("dags", "unpause", "daily_forecast")
    begun = time.monotonic()
    shop.airflow("backfill", "create", "--dag-id", "daily_forecast", *SEVEN_DAYS)
    reader = watch(shop, lambda: len(sla_rows(shop, "backfill")) == 7)
    print(f"7 days in {time.monotonic() - begun:.0f} s, {reader.looks} looks")

    first, before = pointers(shop), rows_of(shop)
    assert sorted(first) == DAYS
    assert len(before) == 7 * ROWS
    assert reader.looks > 20
    assert reader.odd == []
    assert reader.days_seen
    with shop.read() as conn:
        kinds = conn.execute(
            select(generation.c.run_type, generation.c.state, func.count()).group_by(
                generation.c.run_type, generation.c.state
            )
        ).all()
    assert kinds == [("backfill", "published", 7)]

    recorded = sla_rows(shop, "backfill")
    assert [row.business_date for row in recorded] == DAYS
    for row in recorded:
        assert (row.status, row.rows) == ("not_counted", ROWS)
        assert row.deadline_fired_at is None
        assert row.queue_seconds is None
        assert min(row.wait_seconds, row.score_seconds, row.publish_seconds) >= 0

    again = ("backfill", "create", "--dag-id", "daily_forecast", *SEVEN_DAYS)
    wait_until(lambda: backfill_is_over(shop), "the first backfill to be marked as done")
    shop.airflow(*again, "--reprocess-behavior", "completed")
    reader = watch(shop, lambda: all(pointers(shop)[day] > first[day] for day in DAYS))
    assert reader.odd == []
    assert rows_of(shop) == before, "byte for byte"
    with shop.read() as conn:
        states = dict(
            conn.execute(
                select(generation.c.state, func.count()).group_by(generation.c.state)
            ).all()  # type: ignore[arg-type]
        )
    assert states == {"published": 7, "superseded": 7}


def ask_airflow(shop: Shop, query: str, **values: Any) -> list[Any]:
    """Rows of Airflow's own metadata."""
    metadata = make_engine(str(shop.engine.url.set(database="airflow", username="airflow")))
    try:
        with connect(metadata) as conn:
            return list(conn.execute(text(query), values))
    finally:
        metadata.dispose()


def backfill_is_over(shop: Shop) -> bool:
    """Airflow marks a backfill as done by a timer of 30 s, and takes one a DAG."""
    return not ask_airflow(shop, "SELECT id FROM backfill WHERE completed_at IS NULL")


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
        return [row.business_date for row in sla_rows(shop, run_type) if row.model == "stock_cover"]

    day = DAYS[-1] + timedelta(days=1)
    for dag_id in ("daily_forecast", "daily_stock_cover"):
        shop.airflow("dags", "unpause", dag_id)
    scheduled = "SELECT * FROM dag_schedule_asset_reference WHERE dag_id = 'daily_stock_cover'"
    wait_until(lambda: ask_airflow(shop, scheduled), "the DAG to be known")
    shop.airflow("dags", "trigger", "daily_forecast", "--conf", f'{{"business_date": "{day}"}}')
    wait_until(lambda: landed("asset_triggered"), "the run by the asset")
    assert landed("asset_triggered") == [day]

    only = ("--from-date", f"{day}T00:00:00", "--to-date", f"{day}T23:59:00")
    shop.airflow("backfill", "create", "--dag-id", "daily_stock_cover", *only)
    wait_until(lambda: landed("backfill"), "its backfill")
    assert landed("backfill") == [day]


def test_a_night_that_waits_past_its_due_time_is_a_miss_at_once(shop: Shop) -> None:
    """The scheduled run of yesterday waits for a day that the shop's data do not reach."""
    shop.airflow("dags", "unpause", "daily_forecast")

    (row,) = wait_until(lambda: sla_rows(shop, "scheduled"), "the deadline alert of the night")
    assert (row.status, row.landed_at, row.generation_id) == ("missed", None, None)
    assert row.deadline_fired_at is not None
    assert row.run_key.startswith("daily_forecast/scheduled__")
    assert row.due_at < row.deadline_fired_at
    kept = f"sales_forecast of {row.business_date}: missed"
    wait_until(lambda: kept in alerts(shop), "the triggerer to note its alert, and to live")
    (waiting,) = wait_until(lambda: [one for one in shown(shop, "scheduled") if one.said], "a look")
    assert waiting.said.startswith("Waiting for business day ")
    assert "newest closed day: 2026-02-28; gives up at " in waiting.said
    assert {one.status for one in sla_rows(shop, "backfill")} <= {"not_counted"}
