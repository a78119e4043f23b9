"""What the code sends, the exporter maps, and dashboard and alerts ask for: one set of names."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterator
from fnmatch import fnmatchcase
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

import daybreak
from daybreak.monitoring.metrics import PREFIX
from exported_metrics import exported_metrics

ROOT = Path(__file__).parents[3]
SOURCE = Path(daybreak.__file__).parent
MAPPINGS = yaml.safe_load((ROOT / "docker" / "statsd" / "mapping.yml").read_text())["mappings"]
ALERTS = yaml.safe_load((ROOT / "docker" / "prometheus" / "alerts.yml").read_text())
DASHBOARDS = [
    json.loads(path.read_text())
    for path in sorted((ROOT / "docker" / "grafana" / "dashboards").glob("*.json"))
]
SCRAPED = re.compile(r"up|haproxy_\w+|airflow_scheduler_heartbeat")
"""Metrics that are born elsewhere: Prometheus, the load balancer, Airflow."""
WORDS = {"label_values", "histogram_quantile", "last_over_time", "group_left"}
"""Of the query language."""

KINDS = {"timing": {"histogram"}, "incr": {"counter"}, "gauge": {"gauge"}}


def sent() -> Iterator[tuple[str, str]]:
    """(method, name) of every metric in the package; a part that varies is written ``x``."""
    for path in SOURCE.rglob("*.py"):
        if path.name == "metrics.py":
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            if not isinstance(node, ast.Call) or not node.args:
                continue
            called = getattr(node.func, "attr", getattr(node.func, "id", ""))
            if called in KINDS and "metrics" in ast.unparse(node.func):
                name = _text(node.args[0])
                if name:
                    yield called, name
            elif called == "measured":
                name = _text(node.args[2])
                yield "timing", f"{name}.duration"
                yield "incr", f"{name}.succeeded"
                yield "incr", f"{name}.failed"


def _text(node: ast.expr) -> str:
    """A literal with ``x`` for what is filled in; empty where the whole name is a variable."""
    if isinstance(node, ast.Constant):
        return str(node.value)
    if isinstance(node, ast.JoinedStr):
        parts = (part.value if isinstance(part, ast.Constant) else "x" for part in node.values)
        text = "".join(map(str, parts))
        # `measured` appends to a name that its caller made; those names are collected there.
        return "" if re.fullmatch(r"x\.(duration|succeeded|failed)", text) else text
    return ""


def documented() -> list[str]:
    """The names of docs/sla.md's table."""
    names = re.findall(r"^\| `(daybreak\.[^`]+)`", (ROOT / "docs" / "sla.md").read_text(), re.M)
    whole = [
        name.replace("<result>", result)
        for name in names
        for result in ("duration", "succeeded", "failed")
    ]
    return sorted({re.sub(r"<\w+>", "x", name) for name in whole})


def mapped(name: str) -> dict[str, Any] | None:
    """The first mapping that matches, part by part as the exporter does."""
    parts = name.split(".")
    for mapping in MAPPINGS:
        pattern = mapping["match"].split(".")
        if len(pattern) == len(parts) and all(map(fnmatchcase, parts, pattern)):
            return dict(mapping)
    return None


def kind(metric: str) -> str:
    if metric.endswith("_total"):
        return "counter"
    return "gauge" if metric in GAUGES else "histogram"


GAUGES = {
    "daybreak_drift_alarms",
    "daybreak_drift_of_limit",
    "daybreak_sla_slack_seconds",
    "daybreak_sla_interval_days",
    "daybreak_rows",
    "daybreak_rows_per_second",
}


def queries() -> Iterator[str]:
    for dashboard in DASHBOARDS:
        for panel in dashboard["panels"]:
            yield from (target["expr"] for target in panel["targets"])
        for variable in dashboard["templating"]["list"]:
            yield variable["query"]["query"]
    for group in ALERTS["groups"]:
        yield from (rule["expr"] for rule in group["rules"])


def metrics_of(query: str) -> set[str]:
    bare = re.sub(r"\{[^}]*\}|\[[^]]*\]|\b(by|on) \([^)]*\)|\"[^\"]*\"", " ", query)
    return set(re.findall(r"\b[a-z]\w*_\w+\b|\bup\b", bare)) - WORDS


@cache
def shown() -> set[str]:
    """Names on the endpoint's ``/metrics``; of a histogram without what follows its name."""
    return {
        f"{metric.name}_total" if metric.type == "counter" else metric.name
        for metric in exported_metrics()
    }


@pytest.mark.docs
def test_the_endpoints_metrics_are_those_of_its_page() -> None:
    page = (ROOT / "docs" / "api.md").read_text()
    rows = re.findall(r"^\| (`daybreak_.+?) \|", page, re.M)
    assert set(re.findall(r"`(\w+)`", " ".join(rows))) == shown()


def test_there_is_something_to_check() -> None:
    names = {name for _, name in sent()}
    assert {"x.sla.x", "x.sla.slack_seconds", "x.x.duration", "sweep.rows"} <= names


@pytest.mark.parametrize(("method", "name"), sorted(set(sent())))
def test_every_metric_of_the_code_has_a_mapping_of_its_kind(method: str, name: str) -> None:
    mapping = mapped(f"{PREFIX}.{name}")
    assert mapping is not None, f"docker/statsd/mapping.yml does not know {PREFIX}.{name}"
    assert kind(mapping["name"]) in KINDS[method]


@pytest.mark.docs
@pytest.mark.parametrize("name", documented())
def test_every_documented_metric_has_a_mapping(name: str) -> None:
    assert mapped(name) is not None


def test_names_with_their_own_meaning_are_not_taken_for_a_model() -> None:
    expected = {
        "daybreak.sweep.rows": "daybreak_swept_rows_total",
        "daybreak.ingest.rows": "daybreak_ingested_rows_total",
        "daybreak.sales_forecast.rows": "daybreak_rows",
        "daybreak.sales_forecast.sla.deadline_missed": "daybreak_deadline_missed_total",
        "daybreak.sales_forecast.sla.missed": "daybreak_sla_runs_total",
        "daybreak.sales_forecast.gate.failed": "daybreak_steps_total",
        "daybreak.sales_forecast.gate.promoted": "daybreak_gate_total",
    }
    assert {name: (mapped(name) or {}).get("name") for name in expected} == expected


def test_a_metric_has_one_kind_and_one_set_of_labels() -> None:
    labels: dict[str, set[str]] = {}
    for mapping in MAPPINGS:
        assert labels.setdefault(mapping["name"], set(mapping.get("labels", ()))) == set(
            mapping.get("labels", ())
        )
        captured = mapping["match"].count("*")
        used = {int(n) for n in re.findall(r"\$(\d)", json.dumps(mapping.get("labels", {})))}
        assert used == set(range(1, captured + 1)), mapping["match"]


@pytest.mark.parametrize("query", sorted(set(queries())))
def test_dashboard_and_alerts_ask_only_for_metrics_that_exist(query: str) -> None:
    known = {mapping["name"] for mapping in MAPPINGS} | shown()
    asked = metrics_of(query)
    assert asked
    for metric in asked:
        base = re.sub(r"_(sum|count|bucket)$", "", metric)
        assert metric in known or base in known or SCRAPED.fullmatch(metric), metric


def test_every_alert_says_how_urgent_it_is_in_a_sentence() -> None:
    for group in ALERTS["groups"]:
        for rule in group["rules"]:
            assert rule["labels"]["severity"] in {"page", "ticket"}
            assert rule["annotations"]["summary"].endswith(".")


def test_prometheus_scrapes_services_of_the_stack() -> None:
    services = yaml.safe_load((ROOT / "docker-compose.yaml").read_text())["services"]
    config = yaml.safe_load((ROOT / "docker" / "prometheus" / "prometheus.yml").read_text())
    hosts = {
        target.split(":")[0]
        for job in config["scrape_configs"]
        for static in job.get("static_configs", ())
        for target in static["targets"]
    } | {
        name
        for job in config["scrape_configs"]
        for found in job.get("dns_sd_configs", ())
        for name in found["names"]
    }
    assert hosts - {"localhost"} <= set(services)
