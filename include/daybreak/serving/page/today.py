"""``/ui``: what is in force of each model, whether it is in time, and what waits or failed."""

from __future__ import annotations

from collections import defaultdict
from datetime import datetime, timedelta

from flask import Response

from daybreak.charts.tables import Column, Table
from daybreak.serving.http.auth import needs
from daybreak.serving.page.frame import blueprint, page_of_app, seen_models, shown
from daybreak.serving.page.reading import Row, reading
from daybreak.serving.service import current_service

STRIP = 30
"""Runs of a model whose punctuality is shown."""
STRIP_DAYS = 220
"""Days that these lie within, of a weekly model too: no question grows with history."""
LOOK_BACK = timedelta(days=14)
WORKING = timedelta(hours=6)
"""So long a run may go on, with its waits, before it counts as one that failed."""

_MODELS = """
    SELECT
        freshness.*,
        champion.version AS champion,
        champion.effective_from AS champion_since,
        champion.gate AS champion_gate,
        champion.gate_reason AS champion_gate_reason,
        refused.version AS refused,
        refused.gate_reason AS refused_reason,
        refused.judged_at AS refused_at
    FROM report.freshness AS freshness
    LEFT JOIN LATERAL (
        SELECT version, effective_from, gate, gate_reason
        FROM report.model_history AS entry
        WHERE entry.model = freshness.model AND entry.effective_from <= :now
        ORDER BY effective_from DESC, recorded_at DESC
        LIMIT 1
    ) AS champion ON TRUE
    LEFT JOIN LATERAL (
        -- The newest word of the gate, where it was a no.
        SELECT *
        FROM (
            SELECT version, gate, gate_reason, judged_at
            FROM report.version_gate AS verdict
            WHERE verdict.model = freshness.model AND verdict.judged_at IS NOT NULL
            ORDER BY judged_at DESC
            LIMIT 1
        ) AS newest
        WHERE gate = 'refused'
    ) AS refused ON TRUE
    ORDER BY freshness.model
"""

_SLA = """
    SELECT model, business_date, status, due_at, landed_at, slack_seconds, run_type, run_key
    FROM (
        SELECT
            daily.*,
            row_number() OVER (PARTITION BY model ORDER BY business_date DESC) AS place
        FROM report.sla_daily AS daily
        WHERE business_date >= (SELECT max(newest_closed) - :days FROM report.freshness)
    ) AS numbered
    WHERE place <= :strip
    ORDER BY model, business_date
"""

_RUNS = """
    SELECT
        model, business_date, outcome, run_type, started_at, last_step, last_step_at, reason,
        run_key, generation_id
    FROM report.run
    WHERE started_at >= :since AND outcome IN ('audited', 'unfinished', 'rejected', 'rolled_back')
    ORDER BY started_at DESC
    LIMIT 50
"""


@blueprint.get("")
@blueprint.get("/")
@needs("predict")
def today() -> Response:
    """Today."""
    service = current_service()
    now = service.runtime.clock()
    seen = set(seen_models())
    with reading(service.runtime) as ask:
        models = [row for row in ask(_MODELS, now=now) if row["model"] in seen]
        sla = [row for row in ask(_SLA, days=STRIP_DAYS, strip=STRIP) if row["model"] in seen]
        runs = [row for row in ask(_RUNS, since=now - LOOK_BACK) if row["model"] in seen]
    strips = defaultdict(list)
    for row in sla:
        strips[row["model"]].append(row)
    for row in models:
        strip = strips[row["model"]]
        row["strip"] = strip
        row["sla"] = next((one for one in strip if one["business_date"] == row["newest"]), None)
        row["late"] = _late(row)
    waiting = [row for row in runs if row["outcome"] == "audited"]
    failed = [row for row in runs if row["outcome"] != "audited" and _has_failed(row, now)]
    tables = [_sla_table(sla), _runs_table("waiting", waiting), _runs_table("failed", failed)]
    return shown(
        "today.html",
        "Today",
        tables,
        active="",
        models=models,
        quiet=sorted(seen - {row["model"] for row in models}),
        sla=tables[0],
        waiting=waiting,
        failed=failed,
        approvable=_asks(),
        dataset=service.runtime.settings.dataset,
        acts=page_of_app().acts is not None,
    )


def _late(row: Row) -> str:
    """In a word how new the scores are: in time, late, behind, or none."""
    if row["newest"] is None:
        return "none"
    if row["age_days"]:
        return "behind"
    return "late" if row["sla"] is not None and row["sla"]["status"] == "missed" else "in time"


def _has_failed(row: Row, now: datetime) -> bool:
    """A run that goes on is no failure yet."""
    last: datetime = row["last_step_at"] or row["started_at"]
    return row["outcome"] != "unfinished" or now - last > WORKING


def _asks() -> set[str]:
    """Models whose scores are published once somebody agreed."""
    models = current_service().models.values()
    return {m.name for m in models if m.nightly is not None and m.nightly.schedule.asks}


def _sla_table(rows: list[Row]) -> Table:
    columns = [
        Column("model", "model"),
        Column("business_date", "business date", "date"),
        Column("status", "in time", "mark"),
        Column("due_at", "due (UTC)", "moment"),
        Column("landed_at", "landed (UTC)", "moment"),
        Column("slack_seconds", "slack, s", "number", 0),
        Column("run_type", "run"),
    ]
    newest_first = sorted(rows, key=lambda row: (row["business_date"], row["model"]), reverse=True)
    return Table("punctuality", f"The last {STRIP} runs of each model", columns, newest_first)


def _runs_table(name: str, rows: list[Row]) -> Table:
    columns = [
        Column("model", "model"),
        Column("business_date", "business date", "date"),
        Column("outcome", "outcome", "mark"),
        Column("run_type", "run"),
        Column("started_at", "began (UTC)", "moment"),
        Column("last_step", "last step"),
        Column("last_step_at", "ended (UTC)", "moment"),
        Column("reason", "why", "text", 0),
        Column("run_key", "run"),
    ]
    return Table(name, name, columns, rows)
