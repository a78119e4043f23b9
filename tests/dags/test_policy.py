"""Every DAG and every task keeps the same rules, and parsing them all costs next to nothing."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from daybreak import errors
from daybreak.models import schedules

pytestmark = pytest.mark.slow  # parses with Airflow

ROOT = Path(__file__).parents[2]
NIGHTLY = {
    "daily_fraud": "fraud",
    "daily_forecast": "sales_forecast",
    "daily_prices": "pricing",
    "daily_recommendations": "recommendations",
}
OTHERS = {"ingest", "maintenance", "reports", "train_models"}
DAGS = {*NIGHTLY, *OTHERS}


def parse(home: Path, **settings: str) -> subprocess.CompletedProcess[str]:
    """Parse dags/ in a fresh process, which writes what tests/support/describe.py says of them."""
    env = {name: text for name, text in os.environ.items() if not name.startswith("DAYBREAK_")}
    env |= {"AIRFLOW_HOME": str(home), "AIRFLOW__CORE__LOAD_EXAMPLES": "False"} | settings
    script = Path(__file__).parents[1] / "support" / "describe.py"
    return subprocess.run(
        [sys.executable, "-P", str(script), str(ROOT / "dags"), str(home / "report.json")],
        env=env,
        cwd=home,
        check=False,
        capture_output=True,
        text=True,
    )


@pytest.fixture(scope="session")
def parsed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What a fresh process says that parsed dags/ with the default settings."""
    home = tmp_path_factory.mktemp("airflow")
    done = parse(home)
    assert done.returncode == 0, done.stderr
    loaded: dict[str, Any] = json.loads((home / "report.json").read_text())
    return loaded


@pytest.fixture
def dags(parsed: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = parsed["dags"]
    return found


@pytest.fixture
def tasks(dags: dict[str, Any]) -> dict[str, Any]:
    return {
        f"{dag_id}.{task_id}": task
        for dag_id, dag in dags.items()
        for task_id, task in dag["tasks"].items()
    }


def test_every_dag_is_found_and_each_lies_in_a_file_of_its_name(dags: dict[str, Any]) -> None:
    assert set(dags) == DAGS
    assert {dag["file"] for dag in dags.values()} == {f"{name}.py" for name in DAGS}


def test_parsing_adds_no_heavy_import(parsed: dict[str, Any]) -> None:
    assert parsed["added"] == []


def test_id_and_description_are_those_of_the_models_schedule(dags: dict[str, Any]) -> None:
    assert {schedule.dag_id_of(model): model for model, schedule in schedules().items()} == NIGHTLY
    for model, schedule in schedules().items():
        assert dags[schedule.dag_id_of(model)]["description"] == schedule.description


def test_a_model_whose_sections_the_data_set_lacks_has_no_dag(tmp_path: Path) -> None:
    ratings = tmp_path / "ratings.yaml"
    ratings.write_text("name: ratings\ninteractions: {files: ratings.csv}\nsales: []\n")
    done = parse(tmp_path, DAYBREAK_DATASET=str(ratings))
    assert done.returncode == 0, done.stderr
    report = json.loads((tmp_path / "report.json").read_text())
    assert set(report["dags"]) == {"daily_recommendations", *OTHERS}
    assert report["added"] == []


@pytest.mark.parametrize("text", ["sales: [", "just words", "name: \xff"])
def test_all_dags_stay_where_the_data_set_cannot_be_read(tmp_path: Path, text: str) -> None:
    broken = tmp_path / "broken.yaml"
    broken.write_bytes(text.encode("latin-1"))
    done = parse(tmp_path, DAYBREAK_DATASET=str(broken))
    assert done.returncode == 0, done.stderr
    assert set(json.loads((tmp_path / "report.json").read_text())["dags"]) == DAGS


def test_every_dag_is_documented_tagged_bounded_and_never_catches_up(dags: dict[str, Any]) -> None:
    for dag in dags.values():
        assert dag["doc"].startswith("### ")
        assert dag["description"].endswith(".")
        assert len(dag["description"]) <= 100, "it stands in one line of the list"
        assert "docs/runbook.md" in dag["doc"]
        assert "daybreak" in dag["tags"]
        assert len(dag["tags"]) >= 2
        assert dag["catchup"] is False
        assert 1 <= dag["max_active_runs"] <= 4
        assert dag["start_date"] == "2009-01-01T00:00:00+00:00"


def test_every_asset_is_found_in_the_group_and_says_what_it_is(tasks: dict[str, Any]) -> None:
    assets = {
        name: (group, extra) for task in tasks.values() for name, group, extra in task["assets"]
    }
    assert set(assets) == {
        *("raw_facts", "champions", "period_reports"),
        *(f"{model}_published" for model in NIGHTLY.values()),
    }
    for name, (group, extra) in assets.items():
        assert group == "daybreak", name
        assert extra["holds"], name
        assert {"table", "schema"} & extra.keys(), name


@pytest.mark.parametrize("dag_id", NIGHTLY)
def test_the_page_of_a_nightly_dag_says_how_to_start_it_by_hand(
    dags: dict[str, Any], dag_id: str
) -> None:
    doc = " ".join(dags[dag_id]["doc"].split())
    assert "its business date at 02:00 (UTC)" in doc
    assert "one that ends at midnight leaves out its last day, so let it end at 23:59" in doc
    assert "fill in *Business date*" in doc


def test_every_task_has_an_owner_retries_with_backoff_a_timeout_and_a_line_of_help(
    tasks: dict[str, Any],
) -> None:
    for name, task in tasks.items():
        assert task["owner"] == "daybreak", name
        assert task["retries"] >= 1, name
        assert task["retry_delay"] > 0, name
        assert task["backoff"], name
        if name.endswith(".agree"):  # as long as the rules let somebody take
            assert task["timeout"] is None
        else:
            assert 60 <= task["timeout"] <= 6 * 3600, name
        assert task["doc"].endswith("."), name


def test_no_task_tries_again_what_would_fail_again(tasks: dict[str, Any]) -> None:
    final = sorted(name for name, kind in vars(errors).items() if getattr(kind, "final", False))
    assert {"InputsLate", "AuditFailed"} < set(final)
    for name, task in tasks.items():
        assert task["gives_up_on"] == final, name


def test_a_task_pushes_its_result_exactly_where_another_takes_it(dags: dict[str, Any]) -> None:
    for dag_id, dag in dags.items():
        taken = {source for task in dag["tasks"].values() for source in task["takes"]}
        assert {name for name, task in dag["tasks"].items() if task["pushes"]} == taken, dag_id
    nightly = dags["daily_forecast"]["tasks"]
    assert nightly["read_shard"]["takes"] == ["plan_snapshot"]
    assert nightly["build_shard"]["takes"] == ["plan_snapshot", "share_snapshot"]
    assert nightly["score_shard"]["takes"] == ["plan_shards"]


@pytest.mark.parametrize(("dag_id", "model"), NIGHTLY.items())
def test_the_nightly_steps_stand_in_the_order_of_the_design(
    dags: dict[str, Any], dag_id: str, model: str
) -> None:
    steps = dags[dag_id]["tasks"]
    assert list(steps) == [
        "wait_for_inputs",
        *(["prove"] if schedules()[model].proves else []),
        "plan_snapshot",
        "share_snapshot",
        "read_shard",
        "plan_shards",
        "build_shard",
        "score_shard",
        "audit",
        *(["ask", "agree", "decide"] if schedules()[model].asks else []),
        "publish",
        "record_sla",
        "measure_drift",
    ]
    assert "publish" in steps["measure_drift"]["upstream"]
    assert not any("measure_drift" in step["upstream"] for step in steps.values())
    assert steps["wait_for_inputs"]["mode"] == "reschedule"
    for beside in ("plan_snapshot", *(["prove"] if schedules()[model].proves else [])):
        assert steps[beside]["upstream"] == ["wait_for_inputs"]
    mapped = {name for name, step in steps.items() if step["mapped"]}
    assert mapped == {"read_shard", "build_shard", "score_shard"}
    assert "read_shard" in steps["share_snapshot"]["upstream"]
    assert "build_shard" in steps["plan_shards"]["upstream"]
    assert "score_shard" in steps["audit"]["upstream"]
    assert "audit" in steps["publish"]["upstream"]
    assert steps["publish"]["outlets"] == [f"daybreak://warehouse/score/{model}"]


def test_a_model_that_fails_fails_the_training_run_but_not_the_tidying_up(
    dags: dict[str, Any],
) -> None:
    tasks = dags["train_models"]["tasks"]
    assert tasks["pass_the_gate"]["upstream"] == ["train"]
    assert tasks["pass_the_gate"]["outlets"] == ["daybreak://warehouse/ops/champion"]
    rules = {"sweep": "all_done", "no_model_failed": "none_failed"}
    for name, rule in rules.items():
        assert (tasks[name]["upstream"], tasks[name]["rule"]) == (["pass_the_gate"], rule)


def test_the_deadline_is_the_time_between_the_run_and_the_due_time(dags: dict[str, Any]) -> None:
    assert dags["daily_forecast"]["deadlines"] == [
        [
            "sales_forecast landed by 06:00",
            4 * 3600,
            "daybreak.jobs.deadline.record_missed_deadline",
            {"model": "sales_forecast"},
        ]
    ]


def test_the_trigger_form_takes_a_date_and_a_kind_of_knowledge(dags: dict[str, Any]) -> None:
    form = dags["daily_forecast"]["params"]
    assert form["business_date"]["format"] == "date"
    assert form["business_date"]["type"] == ["null", "string"]
    assert form["knowledge"]["enum"] == ["as_was", "latest"]


def test_with_the_clock_off_nothing_is_scheduled(tmp_path: Path) -> None:
    done = parse(tmp_path, DAYBREAK_SCHEDULE="False")
    assert done.returncode == 0, done.stderr
    off = json.loads((tmp_path / "report.json").read_text())["dags"]
    assert {name: dag["schedule"] for name, dag in off.items()} == {
        **dict.fromkeys(NIGHTLY, "clock off"),
        "daily_prices": "sales_forecast_published, backfill",
        "ingest": "None",
        "maintenance": "None",
        "reports": " or ".join(f"{model}_published" for model in sorted(NIGHTLY.values()))
        + ", clock off",
        "train_models": "None",
    }


def test_nights_by_data_and_on_one_weekday_and_their_deadlines(tmp_path: Path) -> None:
    intervals = {"sales_forecast": "on_data", "recommendations": "weekly:sunday"}
    done = parse(tmp_path, DAYBREAK_SCHEDULE_BY_MODEL=json.dumps(intervals))
    assert done.returncode == 0, done.stderr
    report = json.loads((tmp_path / "report.json").read_text())
    assert report["added"] == []
    found = {name: report["dags"][name] for name in NIGHTLY}
    assert {name: dag["schedule"] for name, dag in found.items()} == {
        "daily_fraud": "0 2 * * *",
        "daily_forecast": "raw_facts, backfill",
        "daily_prices": "sales_forecast_published, backfill",
        "daily_recommendations": "0 2 * * * (Sunday)",
    }
    # What stands on other scores is queued when these are out, some time after the night began.
    deadlines = {name: dag["deadlines"][0][1] for name, dag in found.items()}
    assert deadlines.pop("daily_prices") == 2 * 3600
    assert set(deadlines.values()) == {4 * 3600}


def test_a_model_on_other_scores_is_scheduled_by_their_asset(tmp_path: Path) -> None:
    package = ROOT / "tests" / "outside" / "on_scores"
    done = parse(tmp_path, PYTHONPATH=str(package), DAYBREAK_SCHEDULE="False")
    assert done.returncode == 0, done.stderr
    report = json.loads((tmp_path / "report.json").read_text())
    assert report["added"] == []
    assert set(report["dags"]) == {*DAGS, "daily_stock_cover"}
    found = report["dags"]["daily_stock_cover"]
    assert found["file"] == "own_models.py"
    assert found["schedule"] == "sales_forecast_published, backfill"
    assert found["description"] == "How far a stock of each item lasts in the coming week."
    ((name, seconds, *_),) = found["deadlines"]
    assert (name, seconds) == ("stock_cover landed by 06:00", 2 * 3600)
    assert found["tasks"]["publish"]["outlets"] == ["daybreak://warehouse/score/stock_cover"]


def test_an_interval_that_is_none_is_an_import_error_that_says_how_one_is_written(
    tmp_path: Path,
) -> None:
    done = parse(tmp_path, DAYBREAK_SCHEDULE_BY_MODEL='{"recommendations": "weekly"}')
    assert done.returncode != 0
    assert "DAYBREAK_SCHEDULE_BY_MODEL: recommendations: Value error, an interval is" in done.stderr


def test_the_schedule_and_the_deadline_follow_the_settings(tmp_path: Path) -> None:
    done = parse(
        tmp_path,
        DAYBREAK_RUN_AT="00:40",
        DAYBREAK_DUE="07:00",
        DAYBREAK_DUE_BY_MODEL='{"sales_forecast": "05:10:30"}',
        DAYBREAK_TIMEZONE="Europe/London",
    )
    assert done.returncode == 0, done.stderr
    nightly = json.loads((tmp_path / "report.json").read_text())["dags"]["daily_forecast"]
    assert nightly["schedule"] == "40 0 * * *"
    assert nightly["timezone"] == "Europe/London"
    # On one night of the year clocks go forward in these four and a half hours.
    assert nightly["deadlines"][0][:2] == ["sales_forecast landed by 05:10", 210 * 60 + 30]


def test_a_due_time_before_the_run_is_an_import_error_with_a_remedy(tmp_path: Path) -> None:
    done = parse(tmp_path, DAYBREAK_RUN_AT="06:00", DAYBREAK_DUE="06:00")
    assert done.returncode != 0
    assert "sales_forecast is due at 06:00:00, which is not after its run at 06:00:00." in (
        done.stderr
    )
    assert "DAYBREAK_DUE" in done.stderr
