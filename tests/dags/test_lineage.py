"""OpenLineage hears how a file becomes a report, by the events that real runs write to a file."""

from __future__ import annotations

import csv
import json
import os
import re
from collections import defaultdict
from datetime import UTC, date, datetime, timedelta
from importlib import import_module
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from dag_runner import ROOT, DagRunner
from daybreak.clock import AsOf
from daybreak.facts.sales import read_panel
from daybreak.models.sales_forecast.learn.train import train_panel
from daybreak.models.sales_forecast.options import DEFAULT_HORIZON
from daybreak.runtime import Runtime
from daybreak.settings import Settings
from daybreak.warehouse.engine import connect
from first_champion import SMALL, put_in_force

pytestmark = pytest.mark.slow

FIRST, LAST = date(2025, 10, 1), date(2026, 2, 28)
DATASET = """
name: corner
calendar: {timezone: UTC}
sales:
  files: ${HERE}/sales.csv
  columns: {business_date: day, store_id: store, item_id: item, units: units}
  complete_days: true
items:
  files: ${HERE}/items.csv
  columns: {item_id: item, name: name, category: category}
"""


def write_shop(folder: Path) -> Path:
    """Five months of two stores with three items, as files; returns that of the data set."""
    days = [FIRST + timedelta(days=n) for n in range((LAST - FIRST).days + 1)]
    with (folder / "sales.csv").open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["day", "store", "item", "units"])
        rows.writerows(
            [day, store, f"i{item}", 3 + item + (day.weekday() > 4) * 4 + (day.day % 3)]
            for day in days
            for store in ("s1", "s2")
            for item in range(3)
        )
    (folder / "items.csv").write_text("item,name,category\ni0,Tea,Drinks\ni1,Cup,\ni2,Pot,Ware\n")
    dataset = folder / "corner.yaml"
    dataset.write_text(DATASET)
    return dataset


@pytest.fixture(scope="module")
def shop(dag_runner: DagRunner) -> DagRunner:
    """A runner whose Airflow writes OpenLineage's events to a file."""
    events = dag_runner.folder / "events.jsonl"
    dag_runner.env |= {
        "DAYBREAK_DATASET": str(write_shop(dag_runner.folder)),
        "AIRFLOW__OPENLINEAGE__NAMESPACE": "daybreak",
        "AIRFLOW__OPENLINEAGE__TRANSPORT": json.dumps(
            {"type": "file", "log_file_path": str(events), "append": True}
        ),
    }
    return dag_runner


def put_a_champion_in_force(shop: DagRunner) -> None:
    """A small version, as of 20 February."""
    given: dict[str, Any] = {
        name: shop.env[f"DAYBREAK_{name.upper()}"] for name in ("home", "warehouse_url")
    }
    runtime = Runtime(Settings(**given))
    as_of = AsOf(date(2026, 2, 20), datetime(2026, 2, 21, 2, tzinfo=UTC))
    with connect(runtime.engine) as conn:
        panel = read_panel(conn, as_of, days=SMALL.panel_days(DEFAULT_HORIZON))
    put_in_force(runtime, "sales_forecast", train_panel(panel, options=SMALL), as_of)
    runtime.engine.dispose()


def completed(shop: DagRunner) -> list[dict[str, Any]]:
    """Events of tasks that ended well, in their order."""
    lines = (shop.folder / "events.jsonl").read_text().splitlines()
    return [event for event in map(json.loads, lines) if event["eventType"] == "COMPLETE"]


def names(datasets: list[dict[str, Any]]) -> set[str]:
    """Tables and views without their server and database, files without their folder."""
    assert {one["namespace"] for one in datasets} <= {"file", "postgres://localhost:5432"}
    return {re.split(r"[/.]", one["name"], maxsplit=1)[1] for one in datasets}


def reached(edges: dict[str, set[str]], start: str) -> set[str]:
    """Everything that is made of ``start``, directly or not."""
    found, ahead = set[str](), [start]
    while ahead:
        new = edges[ahead.pop()] - found
        found |= new
        ahead += new
    return found


def test_the_chain_leads_from_a_file_to_a_report(shop: DagRunner) -> None:
    (loaded,), log = shop.run({"dag_id": "ingest", "logical_date": "2026-03-01T00:00:00+00:00"})
    assert loaded["state"] == "success", log
    put_a_champion_in_force(shop)
    (scored,), log = shop.run(
        {"dag_id": "daily_forecast", "logical_date": "2026-02-23T00:00:00+00:00"}
    )
    assert scored["state"] == "success", log

    read, written = defaultdict(set), defaultdict(set)
    edges = defaultdict[str, set[str]](set)
    for event in completed(shop):
        inputs, outputs = names(event["inputs"]), names(event["outputs"])
        read[event["job"]["name"]] |= inputs
        written[event["job"]["name"]] |= outputs
        for one in inputs:
            edges[one] |= outputs

    file = str(shop.folder / "sales.csv").lstrip("/")
    reports = {"forecast", "forecast_vintages", "forecast_actual", "forecast_accuracy"}
    steps = (
        ("ingest.load_new_files", file, "raw.sales"),
        ("daily_forecast.read_shard", "raw.sales", "feature.snapshot_part"),
        ("daily_forecast.build_shard", "feature.snapshot_part", "feature.sales_forecast"),
        ("daily_forecast.score_shard", "feature.sales_forecast", "score.sales_forecast"),
        ("daily_forecast.publish", "score.sales_forecast", "report.forecast_accuracy"),
    )
    for job, source, target in steps:
        assert source in read[job], job
        assert target in written[job], job
    assert {f"report.{view}" for view in reports} == written["daily_forecast.publish"]
    assert "report.forecast_accuracy" in reached(edges, file)
    assert not {"raw.sales", file} & reached(edges, "report.forecast"), "nothing comes back"

    (event,) = scored["events"]
    said = {
        job["job"]["name"].partition(".")[2]: job["run"]["facets"]["daybreak_run"]
        for job in completed(shop)
        if "daybreak_run" in job["run"]["facets"]
    }
    for step in ("score_shard", "audit", "publish"):
        assert said[step]["generationId"] == event["generation_id"], step
        assert said[step]["version"] == event["version"], step
        assert said[step]["businessDate"] == "2026-02-23", step
    assert said["build_shard"]["snapshotId"] == said["publish"]["snapshotId"]
    assert "generationId" not in said["build_shard"]


@pytest.mark.parametrize(
    ("address", "namespace", "name"),
    [
        ("/data/my shop/a#1.csv", "file", "/data/my shop/a#1.csv"),
        ("s3://bucket/day/a.csv.gz", "s3://bucket", "day/a.csv.gz"),
        ("generator:synthetic/sales", "generator", "synthetic/sales"),
        ("query:SHOP_URL", "query", "SHOP_URL"),
    ],
)
def test_a_file_has_the_name_that_other_tools_give_it(
    address: str, namespace: str, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(ROOT / "dags")
    assert import_module("lineage").file_name(address) == (namespace, name)


def test_without_a_transport_nothing_is_noted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(ROOT / "dags")
    for name in [name for name in os.environ if "OPENLINEAGE" in name]:
        monkeypatch.delenv(name)
    task = SimpleNamespace()
    import_module("lineage").watch({"task": task})
    assert vars(task) == {}
