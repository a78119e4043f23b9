"""A model of another package is migrated, trained, scheduled, published, monitored and served.

Nothing of the platform is edited for it: every process here merely finds the package of
``tests/outside`` on its path, as it would find one that was installed beside Daybreak.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import urllib.request
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from dag_runner import ENDS, HERE, ROOT, DagRunner, counted
from daybreak.runtime import Runtime
from daybreak.serving.http.keys import create_key
from daybreak.settings import Settings
from daybreak.warehouse.engine import begin, connect
from gunicorn_server import gunicorn
from statsd_daemon import statsd_daemon

pytestmark = pytest.mark.slow

OUTSIDE = ROOT / "tests" / "outside"
MODEL = "reorder_point"
DAG = f"daily_{MODEL}"
TRAINED, DAY = "2026-02-20", "2026-02-23"
SERIES = 12
FOUND = {"PYTHONPATH": str(OUTSIDE)}
NOT_FOUND = {"PYTHONPATH": ""}


@pytest.fixture(scope="module")
def runner(dag_runner: DagRunner) -> DagRunner:
    """The package on the path, its tables made, facts loaded."""
    dag_runner.env |= FOUND
    dag_runner.daybreak("warehouse", "migrate")
    dag_runner.daybreak("ingest")
    return dag_runner


@pytest.fixture(scope="module")
def runtime(runner: DagRunner) -> Iterator[Runtime]:
    """For a look at what the processes wrote."""
    named = {name: runner.env[f"DAYBREAK_{name.upper()}"] for name in ("home", "warehouse_url")}
    given: dict[str, Any] = named
    made = Runtime(Settings(**given))
    yield made
    made.engine.dispose()


@pytest.fixture(scope="module")
def trained(runner: DagRunner) -> dict[str, Any]:
    """What ``daybreak train`` says of the first version."""
    said: dict[str, Any] = json.loads(runner.daybreak("train", MODEL, "--as-of", TRAINED, "--json"))
    return said


@pytest.fixture(scope="module")
def published(runner: DagRunner, trained: dict[str, Any]) -> tuple[dict[str, Any], Counter[str]]:
    """The executed DAG, and the statsd packets that it sent."""
    run = {"dag_id": DAG, "logical_date": f"{DAY}T00:00:00+00:00"}
    with statsd_daemon() as statsd:
        address = {"DAYBREAK_STATSD_HOST": statsd.host, "DAYBREAK_STATSD_PORT": str(statsd.port)}
        (result,), _ = runner.run(run, **address)
        return result, Counter(statsd.lines())


def described(home: Path, **env: str) -> dict[str, Any]:
    """What tests/support/describe.py says of dags/ in a fresh process."""
    kept = {name: text for name, text in os.environ.items() if not name.startswith("DAYBREAK_")}
    report = home / "report.json"
    subprocess.run(
        [sys.executable, "-P", str(HERE / "describe.py"), str(ROOT / "dags"), str(report)],
        env=kept | {"AIRFLOW_HOME": str(home), "AIRFLOW__CORE__LOAD_EXAMPLES": "False"} | env,
        cwd=home,
        check=True,
        capture_output=True,
    )
    loaded: dict[str, Any] = json.loads(report.read_text())
    return loaded


def read(runtime: Runtime, query: str) -> list[dict[str, Any]]:
    with connect(runtime.engine) as conn:
        return [dict(row) for row in conn.execute(text(query), {"model": MODEL}).mappings()]


def test_its_tables_are_made_by_the_migration_and_by_nothing_else(
    dag_runner: DagRunner, runner: DagRunner, runtime: Runtime
) -> None:
    kinds = read(
        runtime,
        "SELECT table_schema, column_name FROM information_schema.columns "
        "WHERE table_name = :model ORDER BY table_schema, ordinal_position",
    )
    assert [row["column_name"] for row in kinds if row["table_schema"] == "score"] == [
        *("business_date", "generation_id", "store_id", "item_id", "shard"),
        *("usual", "enough", "reorder"),
    ]
    assert any(row["table_schema"] == "feature" for row in kinds)
    assert "as it was" in runner.daybreak("warehouse", "migrate")
    assert json.loads(runner.daybreak("warehouse", "status", "--json"))["current"]


def test_its_dag_appears_by_parsing_and_keeps_the_house_rules(tmp_path: Path) -> None:
    report = described(tmp_path, **FOUND)
    assert report["added"] == [], "to parse is to look at the entry points, no more"
    dags = report["dags"]
    own, other = dags[DAG], dags["daily_forecast"]
    assert own["doc"].startswith("### ")
    assert "docs/runbook.md" in own["doc"]
    assert MODEL in own["description"]
    assert own["tags"] == sorted(["daybreak", "scoring", MODEL])
    assert own["tasks"]["publish"]["outlets"] == [f"daybreak://warehouse/score/{MODEL}"]
    ((name, seconds, callback, arguments),) = own["deadlines"]
    assert (name, arguments) == (f"{MODEL} landed by 06:00", {"model": MODEL})
    assert [seconds, callback] == other["deadlines"][0][1:3]
    # All else is that of the DAGs that have a file of their own, which test_policy.py polices.
    for name in ("catchup", "max_active_runs", "params", "schedule", "start_date", "timezone"):
        assert own[name] == other[name], name
    other_assets: dict[str, Any] = {"outlets": [], "assets": []}
    for task_id, task in other["tasks"].items():
        assert own["tasks"][task_id] | other_assets == task | other_assets, task_id
    assert own["tasks"].keys() == other["tasks"].keys()


def test_without_the_package_nothing_of_it_is_seen(
    runner: DagRunner, trained: dict[str, Any], tmp_path: Path
) -> None:
    assert DAG not in described(tmp_path, **NOT_FOUND)["dags"]
    assert MODEL in runner.daybreak("models", "list")
    assert MODEL not in runner.daybreak("models", "list", **NOT_FOUND)


def test_it_is_trained_and_passes_its_gate(runner: DagRunner, trained: dict[str, Any]) -> None:
    assert trained["outcome"] == "promoted", trained["reason"]
    (version,) = json.loads(runner.daybreak("models", "list", MODEL, "--json"))
    assert version["version"] == trained["version"]
    (entry,) = json.loads(runner.daybreak("models", "history", MODEL, "--json"))
    assert entry["evidence"]["model"] < entry["evidence"]["rule"]
    found = json.loads(runner.daybreak("backtest", MODEL, "--windows", "3", "--json"))
    lost = found["lost_units_a_week"]
    assert 0 < lost["model"] < lost["rule"], "it is of use"


def test_its_dag_is_executed_and_publishes(
    published: tuple[dict[str, Any], Counter[str]], runtime: Runtime, trained: dict[str, Any]
) -> None:
    result, _ = published
    assert result["state"] == "success"
    assert counted(result) == Counter(
        wait_for_inputs=1,
        measure_drift=1,
        plan_snapshot=1,
        share_snapshot=1,
        build_shard=1,
        plan_shards=1,
        score_shard=2,  # twelve series, eight a shard
        audit=1,
        publish=1,
        record_sla=1,
    )
    (event,) = result["events"]
    assert (event["model"], event["business_date"]) == (MODEL, DAY)
    assert event["version"] == trained["version"]
    rows = read(runtime, f"SELECT * FROM score.{MODEL}")
    assert len(rows) == SERIES
    assert {row["generation_id"] for row in rows} == {event["generation_id"]}
    assert all(0 <= row["usual"] <= row["enough"] <= row["reorder"] for row in rows)


def test_it_is_monitored(
    published: tuple[dict[str, Any], Counter[str]], runtime: Runtime, runner: DagRunner
) -> None:
    _, sent = published
    for step, times in {"build_shard": 1, "score_shard": 2, "audit": 1, "publish": 1}.items():
        assert sent[f"daybreak.{MODEL}.{step}.succeeded:1|c"] == times, step
        timings = [name for name in sent if name.startswith(f"daybreak.{MODEL}.{step}.duration:")]
        assert timings, step
    assert sent[f"daybreak.{MODEL}.rows:{SERIES}.0|g"] == 1
    assert sent[f"daybreak.{MODEL}.sla.not_counted:1|c"] == 1, "the day is in the past"

    (row,) = read(runtime, "SELECT * FROM ops.sla WHERE model = :model")
    assert (row["business_date"].isoformat(), row["rows"]) == (DAY, SERIES)
    assert row["landed_at"] is not None
    (row,) = read(runtime, "SELECT * FROM report.sla_daily WHERE model = :model")
    assert row["business_date"].isoformat() == DAY
    (row,) = read(runtime, "SELECT * FROM report.freshness WHERE model = :model")
    assert row["newest"].isoformat() == DAY
    (row,) = read(runtime, "SELECT * FROM report.model_history WHERE model = :model")
    assert row["gate"] == "passed"
    assert row["evidence"]["model"] < row["evidence"]["rule"]
    (listed,) = json.loads(runner.daybreak("sla", "--model", MODEL, "--json"))
    assert listed["business_date"] == DAY


def test_it_is_served_bit_for_bit_and_described(
    published: tuple[dict[str, Any], Counter[str]], runtime: Runtime, tmp_path: Path
) -> None:
    with begin(runtime.engine) as conn:
        token = create_key(conn, "test", runtime.clock()).token
    rows = read(runtime, f"SELECT * FROM score.{MODEL}")
    with gunicorn(runtime, tmp_path, app="daybreak.platform.wsgi:app", env=FOUND) as server:

        def call(path: str, body: Mapping[str, Any] | None = None) -> dict[str, Any]:
            headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
            data = None if body is None else json.dumps(body).encode()
            request = urllib.request.Request(server.url + path, data, headers)
            with closing(urllib.request.urlopen(request, timeout=30)) as response:
                answer: dict[str, Any] = json.load(response)
                return answer

        assert MODEL in [each["model"] for each in call("/v1/models")["models"]]
        detail = call(f"/v1/models/{MODEL}")
        assert detail["problem"] is None
        assert detail["published"]["engine"] == "twin"
        document = call("/v1/openapi.json")
        assert f"/v1/models/{MODEL}/predict" in document["paths"]
        form = document["components"]["schemas"]["ReorderPointPrediction"]
        assert form["properties"]["enough"]["description"] == "nine weeks in ten need no more"
        for row in rows:
            asked = {"store": row["store_id"], "item": row["item_id"]}
            answer = call(f"/v1/models/{MODEL}/predict", asked)
            assert answer["source"] == "published"
            assert answer["generation"] == row["generation_id"]
            (prediction,) = answer["predictions"]
            # Both are the shortest decimals of a float32, so equal numbers are equal bits.
            assert prediction == {name: row[name] for name in prediction}
            assert {"usual", "enough", "reorder"} < prediction.keys()
        live = call(f"/v1/models/{MODEL}/predict", asked | {"on_hand": 1e6})
        assert (live["source"], live["predictions"][0]["reorder"]) == ("live", 0.0)
        assert live["predictions"][0]["enough"] == prediction["enough"]


def test_a_later_generation_is_rolled_back(
    published: tuple[dict[str, Any], Counter[str]], runtime: Runtime, runner: DagRunner
) -> None:
    (event,) = published[0]["events"]
    runner.daybreak("score", MODEL, "--business-date", DAY)
    done = json.loads(runner.daybreak("rollback", MODEL, "--business-date", DAY, "--json"))
    assert done["published"] == event["generation_id"] != done["withdrawn"]
    (pointer,) = read(runtime, "SELECT generation_id FROM ops.published WHERE model = :model")
    assert pointer["generation_id"] == event["generation_id"]


def test_the_training_dag_trains_it_among_the_others(runner: DagRunner) -> None:
    run = {"dag_id": "train_models", "logical_date": "2026-02-27T00:00:00+00:00"}
    (result,), _ = runner.run(run)
    assert result["state"] == "success"
    models = json.loads(runner.python("-c", _MODEL_NAMES).stdout)
    others = ["pricing", "recommendations", MODEL, "sales_forecast"]
    assert sorted(models) == ["fraud", *others]
    # No payments are known by then, so nothing is learned of fraud.
    assert counted(result) == {"list_models": 1, "train": 4, "pass_the_gate": 4} | ENDS
    assert sorted(event["model"] for event in result["events"]) == others
    for event in result["events"]:
        assert event["business_date"] == "2026-02-27"
        assert event["outcome"] in ("promoted", "refused"), "what it says depends on chance"
    (event,) = (event for event in result["events"] if event["model"] == MODEL)
    assert event["reason"].startswith(("Passed", "Refused"))


_MODEL_NAMES = (
    "import json; from daybreak.models import model_names; print(json.dumps(model_names()))"
)
