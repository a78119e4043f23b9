"""Assets that tasks publish and DAGs are scheduled by; Airflow's graph of assets shows them.

Holds no DAG.
"""

from __future__ import annotations

from airflow.sdk import Asset

GROUP = "daybreak"

FACTS = Asset(
    "raw_facts",
    uri="daybreak://warehouse/raw",
    group=GROUP,
    extra={"schema": "raw", "holds": "facts and plans", "seen in": "report.freshness"},
)

CHAMPIONS = Asset(
    "champions",
    uri="daybreak://warehouse/ops/champion",
    group=GROUP,
    extra={"table": "ops.champion", "holds": "which version is in force, and why"},
)

DRIFTED = Asset(
    "drift",
    uri="daybreak://warehouse/ops/drift_alarm",
    group=GROUP,
    extra={"table": "ops.drift_alarm", "holds": "alarms", "seen in": "report.drift"},
)

REPORTS = Asset(
    "period_reports",
    uri="daybreak://registry/reports",
    group=GROUP,
    extra={
        "table": "ops.period_report",
        "holds": "reports of days, weeks and months",
        "seen in": "report.period_report",
    },
)


def scores_of(model: str) -> Asset:
    """What a nightly run publishes; reports and DAGs of your own can be scheduled on it."""
    return Asset(
        f"{model}_published",
        uri=f"daybreak://warehouse/score/{model}",
        group=GROUP,
        extra={"table": f"score.{model}", "holds": "what is published", "model": model},
    )
