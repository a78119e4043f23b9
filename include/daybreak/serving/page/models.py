"""``/ui/models``: versions of a model, what its gate said, which was in force from when to when."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from flask import Response

from daybreak.charts.figures import FORECAST, Chart, figure, line, plain
from daybreak.charts.tables import Column, Table
from daybreak.errors import NotFound
from daybreak.serving.http.auth import needs
from daybreak.serving.page.asked import text_of
from daybreak.serving.page.frame import blueprint, may_act, seen_models, shown
from daybreak.serving.page.reading import Row, reading
from daybreak.serving.service import current_service

MOST_VERSIONS = 200
MOST_ENTRIES = 30
"""Of the ledger, on the time line."""

HISTORY = """
    SELECT *
    FROM report.model_history
    WHERE model = :model
    ORDER BY coalesce(effective_from, registered_at) DESC
    LIMIT :most
"""
_TRIED = """
    SELECT kind, version, share, serve_from, until, actor, reason, gate
    FROM report.canary
    WHERE model = :model
    ORDER BY recorded_at DESC
    LIMIT 20
"""
FRESH = "SELECT * FROM report.freshness WHERE model = :model"
DONE = {
    "promoted": "The version is in force from now on; the endpoint follows within seconds.",
    "same": "This version was in force already.",
    "rolled-back": "The publication is withdrawn; what was published before it is back.",
}


@blueprint.get("/models")
@needs("predict")
def models() -> Response:
    """Models."""
    service = current_service()
    now = service.runtime.clock()
    names = seen_models()
    if not names:
        return shown("models.html", "Models", names=[], model="")
    model = text_of("model") or names[0]
    if model not in names:
        raise NotFound("There is no such model here.", remedy=f"Choose one of {', '.join(names)}.")
    with reading(service.runtime) as ask:
        history = ask(HISTORY, model=model, most=MOST_VERSIONS)
        tried = ask(_TRIED, model=model)
        fresh = ask(FRESH, model=model)
    for row in history:
        row["state"] = _state(row, now)
        row["measured"] = as_json(row["evidence"] or row["metrics"])
    entries = [row for row in history if row["effective_from"] is not None][:MOST_ENTRIES]
    versions = _versions(history)
    charts = [_time_line(entries, now)] if entries else []
    trials = _trials(tried)
    return shown(
        "models.html",
        "Models",
        [versions, trials, *(chart.table for chart in charts)],
        names=names,
        model=model,
        history=history,
        in_force=next((row for row in history if row["state"] == "in force"), None),
        fresh=fresh[0] if fresh else None,
        charts=charts,
        versions=versions,
        trials=trials,
        may_act=may_act(model),
        learns=service.models[model].learning is not None,
        done=DONE.get(text_of("done")),
    )


def _state(row: Row, now: datetime) -> str:
    """Whether an entry of the ledger holds now."""
    if row["effective_from"] is None:
        return ""
    if row["effective_from"] > now:
        return "to come"
    return "in force" if row["until"] is None or row["until"] > now else "was"


def as_json(value: Mapping[str, Any] | None) -> str:
    """What was measured, to read."""
    return json.dumps(value, indent=2, ensure_ascii=False) if value else ""


def _versions(history: Sequence[Row]) -> Table:
    columns = [
        Column("version", "version"),
        Column("state", "state", "mark"),
        Column("gate", "gate", "mark"),
        Column("measure", "measure", "words"),
        Column("value", "value", "number", 3),
        Column("baseline", "best baseline", "words"),
        Column("baseline_value", "its value", "number", 3),
        Column("trained_through", "learned through", "date"),
        Column("registered_at", "registered (UTC)", "moment"),
        Column("effective_from", "in force from (UTC)", "moment"),
        Column("until", "until (UTC)", "moment"),
        Column("actor", "by"),
        Column("reason", "why", "text", 0),
        Column("gate_reason", "the gate's words", "text", 0),
    ]
    return Table("versions", "Versions and the ledger", columns, history, "No version yet.")


def _trials(rows: Sequence[Row]) -> Table:
    columns = [
        Column("kind", "kind"),
        Column("version", "version"),
        Column("share", "share", "percent", 0),
        Column("serve_from", "from (UTC)", "moment"),
        Column("until", "until (UTC)", "moment"),
        Column("actor", "by"),
        Column("reason", "why", "text", 0),
    ]
    return Table("trials", "Versions tried beside it", columns, rows, "None was tried lately.")


def _time_line(entries: Sequence[Row], now: datetime) -> Chart:
    oldest_first = entries[::-1]
    traces = [
        line(
            row["version"],
            [row["effective_from"], row["until"] or max(now, row["effective_from"])],
            [plain(row["version"])] * 2,
            FORECAST,
            width=12,
            mode="lines+markers",
            showlegend=False,
            hovertemplate="%{y}<br>%{x|%Y-%m-%d %H:%M}<extra></extra>",
        )
        for row in oldest_first
    ]
    columns = [
        Column("version", "version"),
        Column("effective_from", "from (UTC)", "moment"),
        Column("until", "until (UTC)", "moment"),
        Column("actor", "by"),
        Column("reason", "why", "text", 0),
    ]
    for trace in traces:
        trace["marker"] = {"size": 12, "color": FORECAST, "symbol": "square"}
    versions = len({row["version"] for row in entries})
    layout = {
        "xaxis": {"type": "date"},
        "yaxis": {"type": "category", "range": [-0.6, versions - 0.4]},
        "hovermode": "closest",
    }
    return Chart(
        "champions",
        "Which was in force when",
        figure(traces, height=110 + 34 * versions, **layout),
        Table("champions", "Champions", columns, entries),
    )
