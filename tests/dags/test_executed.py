"""Every DAG is executed, and one that fails on purpose says why."""

from __future__ import annotations

import os
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import create_engine, delete, text

from dag_runner import ENDS, STEPS, DagRunner, counted
from daybreak.warehouse.tables import interaction
from statsd_daemon import statsd_daemon

pytestmark = pytest.mark.slow

FAILING = Path(__file__).parent / "failing"


@pytest.fixture(scope="module")
def shop(dag_runner: DagRunner) -> DagRunner:
    """A loaded warehouse with a champion as of 20 February."""
    dag_runner.open_shop("2026-02-20")
    return dag_runner


def test_a_day_that_is_not_closed_fails_at_the_limit_with_the_reason(
    dag_runner: DagRunner,
) -> None:
    run = {"dag_id": "inputs_late", "logical_date": "2026-03-05T00:00:00+00:00"}
    (result,), log = dag_runner.run(run, dags=FAILING, DAYBREAK_WAIT_LIMIT_MINUTES="0.01")
    assert result["state"] == "failed"
    (task,) = result["tasks"]
    assert (task["state"], task["tries"]) == ("failed", 1), "a second wait would not help"
    assert "Business day 2026-03-05 is not closed after a wait of" in log
    assert "run `daybreak ingest`" in log
    assert "Waiting for business day 2026-03-05: no file with its sales is loaded; newest" in log
    assert task["shown"].startswith("Business day 2026-03-05 is not closed after a wait of")


def test_the_maintenance_dag_lets_go_of_old_runs_and_logs(dag_runner: DagRunner) -> None:
    old = dag_runner.folder / "logs" / "dag_id=ingest" / "attempt=1.log"
    old.parent.mkdir(parents=True)
    old.touch()
    os.utime(old, (0, 0))
    engine = create_engine(dag_runner.env["DAYBREAK_AIRFLOW_DATABASE_URL"])
    with engine.begin() as conn:
        conn.execute(text("INSERT INTO log (dttm, event) VALUES ('2020-01-01', 'once')"))
    # dag.test() takes the logical date for the start of the run, and what started long ago goes.
    run = {"dag_id": "maintenance", "logical_date": datetime.now(UTC).isoformat()}
    (result,), log = dag_runner.run(run)
    assert result["state"] == "success", log
    assert counted(result) == {"prune": 1, "remove_task_logs": 1, "clean_airflow": 1}
    assert not old.parent.exists()
    with engine.connect() as conn:
        assert conn.scalar(text("SELECT count(*) FROM log WHERE dttm < '2021-01-01'")) == 0
    engine.dispose()


def test_the_default_form_is_refused_at_once_with_what_to_do(shop: DagRunner) -> None:
    now = {"dag_id": "daily_forecast", "logical_date": datetime.now(UTC).isoformat()}
    later = {"dag_id": "daily_forecast", "conf": {"business_date": "2026-03-01"}}
    (today, over), log = shop.run(now, later, DAYBREAK_SCHEDULE="false")
    remedy = "Start a run with Business date 2026-02-28, the newest closed day, or wait for that."
    for result, reason in ((today, "is not over before"), (over, "nothing is on its way")):
        (waited,) = (task for task in result["tasks"] if task["task_id"] == "wait_for_inputs")
        assert (result["state"], waited["state"], waited["tries"]) == ("failed", "failed", 1)
        assert reason in waited["shown"]
        assert reason in log
    assert remedy in log


def test_the_nightly_run_by_logical_date_by_configuration_and_without_either(
    shop: DagRunner,
) -> None:
    dated, configured, neither = (
        {"dag_id": "daily_forecast", "logical_date": "2026-02-23T00:00:00+00:00"},
        {"dag_id": "daily_forecast", "conf": {"business_date": "2026-02-24"}},
        {"dag_id": "daily_forecast", "conf": {}},
    )
    with statsd_daemon() as statsd:
        address = {"DAYBREAK_STATSD_HOST": statsd.host, "DAYBREAK_STATSD_PORT": str(statsd.port)}
        (first, second, third), log = shop.run(dated, configured, neither, **address)
        sent = Counter(statsd.lines())
    assert (first["state"], counted(first)) == ("success", STEPS)
    assert (second["state"], counted(second)) == ("success", STEPS)
    for result, day in ((first, "2026-02-23"), (second, "2026-02-24")):
        (event,) = result["events"]
        assert event["business_date"] == day
        assert event["model"] == "sales_forecast"
        assert event["generation_id"] >= 1
    for step in ("plan_snapshot", "share_snapshot", "finish_snapshot", "audit", "publish"):
        assert sent[f"daybreak.sales_forecast.{step}.succeeded:1|c"] == 2
    assert sent["daybreak.sales_forecast.score_shard.succeeded:1|c"] == 4
    assert sent["daybreak.sales_forecast.sla.not_counted:1|c"] == 2
    assert sent["daybreak.sales_forecast.rows:336.0|g"] == 2
    assert third["state"] == "failed"
    assert counted(third) == {}
    assert "This run has neither a logical date nor a business date." in log


def test_drift_that_cannot_be_measured_leaves_the_day_published(shop: DagRunner) -> None:
    engine = create_engine(shop.env["DAYBREAK_WAREHOUSE_OWNER_URL"])
    with engine.begin() as conn:
        # As after an unlucky change by hand, which may be mended before the last try.
        conn.execute(text("REVOKE INSERT ON ops.drift FROM daybreak_writer"))
    run = {"dag_id": "daily_forecast", "logical_date": "2026-02-25T00:00:00+00:00"}
    (result,), _ = shop.run(run)
    with engine.begin() as conn:
        conn.execute(text("GRANT INSERT ON ops.drift TO daybreak_writer"))
        published = text("SELECT count(*) FROM ops.published WHERE business_date = '2026-02-25'")
        assert conn.scalar(published) == 1
    engine.dispose()
    ended = {task["task_id"]: (task["state"], task["tries"]) for task in result["tasks"]}
    assert (ended["publish"], ended["record_sla"]) == (("success", 1), ("success", 1))
    assert ended["measure_drift"] == ("failed", 4), "after three retries"
    (event,) = result["events"]
    assert event["business_date"] == "2026-02-25"


def test_the_recommendations_run_by_the_same_steps(shop: DagRunner) -> None:
    run = {"dag_id": "daily_recommendations", "logical_date": "2026-02-23T00:00:00+00:00"}
    (result,), _ = shop.run(run, DAYBREAK_ENTITIES_PER_SHARD="30")
    # 50 users and the default row, thirty a shard.
    # Their catalogue is made of all purchases, so no facts are read by themselves.
    steps = {step: times for step, times in STEPS.items() if step != "read_shard"}
    assert (result["state"], counted(result)) == ("success", steps)
    (event,) = result["events"]
    assert (event["model"], event["business_date"]) == ("recommendations", "2026-02-23")


def test_the_ingest_dag_runs(shop: DagRunner) -> None:
    run = {"dag_id": "ingest", "logical_date": "2026-02-23T00:00:00+00:00"}
    (result,), log = shop.run(run)
    assert (result["state"], counted(result)) == ("success", {"load_new_files": 1})
    assert result["events"] == [], "all was loaded before, so nothing starts what waits for data"
    assert "Nothing landed." in log


def test_a_model_that_fails_fails_the_run_and_keeps_no_other_from_its_gate(
    shop: DagRunner,
) -> None:
    champions = [*Path(shop.env["DAYBREAK_HOME"]).rglob("recommendations/*/model.ubj")]
    assert champions
    for altered in champions:
        altered.chmod(0o600)
        altered.write_bytes(b"")
    run = {"dag_id": "train_models", "logical_date": "2026-02-25T00:00:00+00:00"}
    (result,), log = shop.run(run)
    assert result["state"] == "failed"
    assert "ArtifactAltered" in log
    assert counted(result) == {"list_models": 1, "train": 3, "pass_the_gate": 2, "sweep": 1}
    assert sorted(event["model"] for event in result["events"]) == ["pricing", "sales_forecast"]


def test_a_model_without_data_is_skipped_and_keeps_no_other_from_its_gate(
    shop: DagRunner,
) -> None:
    # What follows has a shop without interactions.
    engine = create_engine(shop.env["DAYBREAK_WAREHOUSE_OWNER_URL"])  # jobs delete no facts
    with engine.begin() as conn:
        conn.execute(delete(interaction))
    engine.dispose()
    run = {"dag_id": "train_models", "logical_date": "2026-02-26T00:00:00+00:00"}
    (result,), log = shop.run(run)
    assert result["state"] == "success", log
    assert counted(result) == {"list_models": 1, "train": 2, "pass_the_gate": 2} | ENDS
    skipped = Counter(task["task_id"] for task in result["tasks"] if task["state"] == "skipped")
    # Fraud too: the payments of this shop are of later months.
    assert skipped == {"train": 2, "pass_the_gate": 2}
    assert sorted(event["model"] for event in result["events"]) == ["pricing", "sales_forecast"]
    assert "No interactions of 20" in log, "the skipped task says why"


NOTHING_LIKE_THE_TRAINING = """
    UPDATE ops.model_version
    SET manifest = manifest || '{
        "drift": [
            {"kind": "feature", "name": "price", "edges": [1e6, 2e6], "counts": [0, 0, 9, 0]}
        ]
    }'
    WHERE model = 'sales_forecast'
"""


def test_an_alarm_is_an_event_once_that_training_may_listen_to(shop: DagRunner) -> None:
    engine = create_engine(shop.env["DAYBREAK_WAREHOUSE_OWNER_URL"])
    with engine.begin() as conn:
        # What was trained on is changed, so that all prices of the night are new to it.
        conn.execute(text(NOTHING_LIKE_THE_TRAINING))
    engine.dispose()
    run = {"dag_id": "daily_forecast", "logical_date": "2026-02-26T00:00:00+00:00"}
    (result,), log = shop.run(run)
    assert result["state"] == "success", log
    published, drifted = result["events"]
    assert published["generation_id"] >= 1
    assert (drifted["model"], drifted["business_date"]) == ("sales_forecast", "2026-02-26")
    assert "feature price" in drifted["raised"]
    (again,), _ = shop.run(run)
    assert len(again["events"]) == 1, "no alarm is raised twice"

    asked = {"dag_id": "train_models", "asset": "drift"}
    (trained,), log = shop.run(asked, DAYBREAK_TRAIN_ON_DRIFT="true")
    assert counted(trained)["train"] == 1, log
    assert [event["model"] for event in trained["events"]] == ["sales_forecast"]
