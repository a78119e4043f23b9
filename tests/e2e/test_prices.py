"""Prices through a real scheduler: the forecast starts them, and a person agrees over the API."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from sqlalchemy import text

from daybreak.clock import AsOf
from daybreak.jobs.promoting import promote
from daybreak.jobs.registering import register_trained
from daybreak.models import get_learning
from daybreak.platform import airflow_env
from daybreak.platform.airflow_api import AirflowApi
from daybreak.platform.folder import StateFolder
from daybreak.platform.status import status
from daybreak.runtime import Runtime
from daybreak.settings import Settings
from daybreak.warehouse.engine import connect
from installation import Installation
from price_shop import LAST, write_shop
from shop import wait_until

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]

DAG = "daily_prices"
AGREED, CAPPED, REFUSED, MISSED = (LAST - timedelta(days=back) for back in (3, 2, 1, 0))
MOST = 7


class People(AirflowApi):
    """Who answers what Airflow asks of people."""

    def runs_of(self, dag_id: str) -> list[dict[str, Any]]:
        found = self._call("GET", f"/api/v2/dags/{dag_id}/dagRuns?order_by=-run_after&limit=50")
        runs: list[dict[str, Any]] = found["dag_runs"]
        return runs

    def states(self, run_id: str) -> dict[str, str]:
        run = f"/api/v2/dags/{DAG}/dagRuns/{quote(run_id, safe='')}"
        found = self._call("GET", f"{run}/taskInstances")["task_instances"]
        return {one["task_id"]: one["state"] for one in found}

    def waits(self, run_id: str) -> bool:
        return self.states(run_id).get("agree") == "awaiting_input"

    def asked(self, run_id: str) -> dict[str, Any]:
        found: dict[str, Any] = self._call("GET", self._detail(run_id))
        return found

    def answer(self, run_id: str, option: str, **form: Any) -> None:
        body = {"chosen_options": [option], "params_input": {"most": None, "reason": ""} | form}
        self._call("PATCH", self._detail(run_id), body)

    @staticmethod
    def _detail(run_id: str) -> str:
        run = f"/api/v2/dags/{DAG}/dagRuns/{quote(run_id, safe='')}"
        return f"{run}/taskInstances/agree/-1/hitlDetails"


@dataclass
class Prices:
    """The running platform, its warehouse, and somebody to ask."""

    installation: Installation
    runtime: Runtime
    people: People
    data_set: Path

    def rows(self, query: str, **values: Any) -> list[Any]:
        with connect(self.runtime.engine) as conn:
            return list(conn.execute(text(query), values))

    def propose(self, day: date) -> str:
        """Publish the forecast of a day; the run of prices that it starts, once it waits."""
        known = {run["dag_run_id"] for run in self.people.runs_of(DAG)}
        self.people.trigger("daily_forecast", {"business_date": day.isoformat()})

        def started() -> str | None:
            found = [run["dag_run_id"] for run in self.people.runs_of(DAG)]
            new = [run for run in found if run not in known]
            return new[0] if new else None

        run: str = wait_until(started, f"prices of {day} to start")
        wait_until(
            lambda: self.people.states(run).get("agree") in {"awaiting_input", "success"},
            f"somebody to be asked about {day}",
        )
        return run

    def answered(self, run: str, option: str, **form: Any) -> str:
        """The state in which a run ended that is answered as often as it asks.

        Airflow takes a task's parking for its death where the answer is there before the worker
        has reported that it parked, tries the task again, and asks anew (docs/pricing-model.md).
        """

        def state() -> str | None:
            if self.people.waits(run):
                self.people.answer(run, option, **form)
            return self._state(run)

        ended: str = wait_until(state, f"{run} to end")
        return ended

    def ended(self, run: str) -> str:
        """The state in which a run ended that nobody answers."""
        ended: str = wait_until(lambda: self._state(run), f"{run} to end")
        return ended

    def _state(self, run: str) -> str | None:
        found = self.people.run(DAG, run)["state"]
        return found if found in {"success", "failed"} else None

    def changed(self, day: date) -> int:
        """How many prices the published proposals of a day change."""
        query = "SELECT count(*) FROM report.price_proposals WHERE business_date = :day"
        return int(self.rows(f"{query} AND price <> current_price", day=day)[0][0])


@pytest.fixture(scope="module")
def prices() -> Iterator[Prices]:
    # Not below pytest's own folder, as in test_scheduler.py.
    with tempfile.TemporaryDirectory(prefix="dbk-prices-", dir="/tmp") as home:
        folder = Path(home) / "data"
        folder.mkdir()
        data_set = write_shop(folder, approval={"changes": 5, "hours": 6})
        environment = {"DAYBREAK_DATASET": str(data_set), "DAYBREAK_POLL_SECONDS": "5"}
        installation = Installation(Path(home), environment)
        installation.must("up", "--only", "airflow")
        settings = Settings(home=Path(home), dataset=str(data_set))
        runtime = Runtime(settings)
        try:
            installation.must("data", "load", str(data_set))
            put_in_force(runtime)
            login = airflow_env.login(StateFolder(settings.state))
            url = status(settings)["api-server"].url
            assert login
            assert url
            people = People(url, *login, reads=5)
            for dag in ("daily_forecast", DAG):
                people.unpause(dag)
            yield Prices(installation, runtime, people, data_set)
        finally:
            runtime.engine.dispose()
            installation.must("down")
        assert installation.processes() == []


def put_in_force(runtime: Runtime) -> None:
    """The forecast's baseline, and responses to prices that were learned."""
    day = AGREED - timedelta(days=1)
    known = AsOf(day, datetime(day.year, day.month, day.day, tzinfo=UTC) + timedelta(days=1.5))
    with connect(runtime.engine) as conn:
        forecast = get_learning("sales_forecast").baseline(conn, known)
        assert forecast is not None
        made = {
            "sales_forecast": forecast.trained,
            "pricing": get_learning("pricing").train(conn, known),
        }
    for model, trained in made.items():
        version = register_trained(runtime, model, trained)
        promote(
            model, version, "a test", actor="test", effective_from=known.cutoff, runtime=runtime
        )


def test_what_is_approved_is_published(prices: Prices) -> None:
    run = prices.propose(AGREED)
    assert prices.changed(AGREED) == 0, "nothing is visible before somebody agrees"
    asked = prices.people.asked(run)
    assert asked["subject"] == f"30 prices after {AGREED}"
    assert "**30** of 72 prices would change" in asked["body"]

    assert prices.answered(run, "Approve", reason="spring") == "success"
    assert prices.changed(AGREED) == 30
    (kept,) = prices.rows(
        "SELECT outcome, person, reason FROM report.price_approvals WHERE business_date = :day",
        day=AGREED,
    )
    assert (kept.outcome, kept.reason) == ("approved", "spring")
    assert kept.person
    (ledger,) = prices.rows("SELECT count(*) FROM ops.price WHERE source = 'published'")
    assert ledger[0] == 30


def test_a_part_is_published_with_its_cap(prices: Prices) -> None:
    run = prices.propose(CAPPED)
    assert prices.answered(run, "Approve a part", most=MOST) == "success"
    assert prices.changed(CAPPED) == MOST


def test_what_is_refused_or_missed_leaves_the_old_prices(prices: Prices) -> None:
    run = prices.propose(REFUSED)
    assert prices.answered(run, "Keep what is published", reason="too much") == "success"
    assert prices.people.states(run)["publish"] == "skipped"
    assert prices.rows("SELECT 1 FROM ops.published WHERE business_date = :d", d=REFUSED) == [
        (1,)
    ], "of the forecast alone"

    write_shop(prices.data_set.parent, approval={"changes": 5, "hours": 0.002})
    prices.installation.must("data", "load", str(prices.data_set))
    late = prices.propose(MISSED)
    assert prices.ended(late) == "success"
    assert prices.people.states(late)["publish"] == "skipped"
    outcomes = dict(
        tuple(row)
        for row in prices.rows(
            "SELECT business_date, outcome FROM report.price_approvals WHERE business_date >= :d",
            d=REFUSED,
        )
    )
    assert outcomes == {REFUSED: "rejected", MISSED: "expired"}


def test_a_backfill_gives_the_bytes_of_the_day(prices: Prices) -> None:
    """Also those of a part that a person agreed to, and without asking again."""
    columns = "store_id, item_id, price, units, margin, place, rule"
    query = (
        f"SELECT {columns} FROM ops.published JOIN score.pricing USING (business_date, "
        "generation_id) WHERE model = 'pricing' AND business_date = :day ORDER BY 1, 2"
    )
    before = {day: prices.rows(query, day=day) for day in (AGREED, CAPPED)}
    generations = prices.rows("SELECT generation_id FROM ops.published WHERE model = 'pricing'")
    ledger = prices.rows("SELECT count(*) FROM ops.price WHERE source = 'published'")
    span = ("--from-date", f"{AGREED}T00:00:00", "--to-date", f"{CAPPED}T23:59:00")
    prices.installation.must("airflow", "backfill", "create", "--dag-id", DAG, *span)

    def landed() -> bool:
        now = prices.rows("SELECT generation_id FROM ops.published WHERE model = 'pricing'")
        return not set(now) & set(generations)

    wait_until(landed, "the backfill", patience=300)
    assert {day: prices.rows(query, day=day) for day in (AGREED, CAPPED)} == before
    assert len(before[AGREED]) == len(before[CAPPED]) == 72
    assert prices.rows("SELECT count(*) FROM ops.price WHERE source = 'published'") == ledger
