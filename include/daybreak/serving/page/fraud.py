"""``/ui/fraud`` and ``/ui/quality``: what to review, and whether it was the right thing."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from flask import Response

from daybreak.charts.figures import (
    BASELINE,
    FORECAST,
    INK,
    Chart,
    bars,
    days_axis,
    figure,
    line,
)
from daybreak.charts.tables import Column, Table
from daybreak.serving.http.auth import needs
from daybreak.serving.page.asked import day_of, whole_of
from daybreak.serving.page.frame import answered_by, blueprint, shown
from daybreak.serving.page.reading import Row, reading
from daybreak.serving.service import current_service

REPORT = "fraud_queue"
DAYS, MOST_DAYS = 7, 60
LATENCY_DAYS = 2

_FRESH = "SELECT newest, version, gate, generation_id FROM report.freshness WHERE model = :model"
_QUEUE = """
    SELECT *
    FROM report.fraud_queue
    WHERE business_date = :day AND rank <= :budget
    ORDER BY rank
"""
_QUALITY = """
    SELECT *
    FROM report.fraud_quality
    WHERE business_date BETWEEN :first AND :last
    ORDER BY business_date
"""
_PROOF = """
    SELECT business_date, proven, decisions, decisions_made, differing, wrong_tiles, finding,
        proven_at
    FROM report.fraud_proof
    WHERE business_date BETWEEN :first AND :last
    ORDER BY business_date DESC
"""
_LATENCY = """
    SELECT stream, business_date, hour, decisions, stale, p50_ms, p99_ms, within_40_ms
    FROM report.fraud_latency
    WHERE business_date BETWEEN :first AND :last
    ORDER BY business_date, hour
"""


@blueprint.get("/fraud")
@needs("predict")
def queue() -> Response:
    """What to review."""
    model = answered_by(REPORT)
    budget = whole_of("budget", 1, 100) or 20
    with reading(current_service().runtime) as ask:
        fresh = ask(_FRESH, model=model.name)
        newest = fresh[0]["newest"] if fresh else None
        day = day_of("day") or newest
        rows = ask(_QUEUE, day=day, budget=budget) if newest else []
    charts = [_at_stake(rows)] if rows else []
    listed = _queue(rows)
    return shown(
        "fraud.html",
        "Fraud",
        [listed, *(chart.table for chart in charts)],
        model=model.name,
        newest=newest,
        day=day,
        budget=budget,
        known=rows[0] if rows else None,
        stake=sum(row["expected_loss"] or 0 for row in rows),
        listed=listed,
        charts=charts,
    )


@blueprint.get("/quality")
@needs("predict")
def quality() -> Response:
    """What came true."""
    model = answered_by(REPORT)
    days = whole_of("days", 1, MOST_DAYS) or DAYS
    with reading(current_service().runtime) as ask:
        fresh = ask(_FRESH, model=model.name)
        newest = fresh[0]["newest"] if fresh else None
        span = {"first": newest - timedelta(days=days - 1), "last": newest} if newest else {}
        rows = ask(_QUALITY, **span) if span else []
        proofs = ask(_PROOF, **span) if span else []
        short = {**span, "first": newest - timedelta(days=LATENCY_DAYS - 1)} if newest else {}
        latency = ask(_LATENCY, **short) if short else []
    for row in proofs:
        row["verdict"] = "proven" if row["proven"] else "not proven"
    charts = [_measures(rows), _frauds(rows)] if rows else []
    tables = [_quality(rows), _proofs(proofs), _latency(latency)]
    return shown(
        "quality.html",
        "Did we find the frauds?",
        [*tables, *(chart.table for chart in charts)],
        active="fraud",
        days=days,
        choices=sorted({7, 14, 28, 60, days}),
        newest=newest,
        charts=charts,
        judged=tables[0],
        proofs=tables[1],
        latency=tables[2],
    )


def _queue(rows: Sequence[Row]) -> Table:
    columns = [
        Column("rank", "rank", "number", 0),
        Column("key", "key"),
        Column("probability", "probability", "percent"),
        Column("amount", "amount", "number", 2),
        Column("expected_loss", "expected loss", "number", 2),
        Column("decision", "decision", "mark"),
        Column("events", "events", "number", 0),
        Column("reviews", "to review", "number", 0),
        Column("blocks", "blocked", "number", 0),
        Column("event_id", "event"),
        Column("event_at", "when (UTC)", "moment"),
        Column("known_fraud", "fraud"),
    ]
    return Table("queue", "What to review", columns, rows, "Nothing was scored on this day.")


def _at_stake(rows: Sequence[Row]) -> Chart:
    x = [row["rank"] for row in rows]
    traces = [bars("probability", x, [row["probability"] for row in rows], FORECAST)]
    layout = {
        "yaxis": {"tickformat": ".0%", "rangemode": "tozero"},
        "xaxis": {"type": "category", "title": {"text": "place in the queue"}},
        "showlegend": False,
        "bargap": 0.3,
    }
    columns = [
        Column("rank", "rank", "number", 0),
        Column("key", "key"),
        Column("probability", "probability", "percent", 2),
    ]
    table = Table("probabilities", "Probability by place", columns, rows)
    return Chart(
        "probabilities", "Probability of fraud", figure(traces, height=220, **layout), table
    )


def _measures(rows: Sequence[Row]) -> Chart:
    x = [row["business_date"] for row in rows]
    mature = [row["average_precision"] if row["mature"] else None for row in rows]
    traces = [
        line("estimated", x, [row["estimated_average_precision"] for row in rows], FORECAST,
             dash="dot", mode="lines+markers"),
        line("known by now", x, [row["average_precision"] for row in rows], BASELINE,
             mode="lines+markers"),
        line("mature", x, mature, INK, mode="markers"),
    ]  # fmt: skip
    layout = {"yaxis": {"rangemode": "tozero"}, "xaxis": days_axis(x)}
    columns = [
        Column("business_date", "business date", "date"),
        Column("mature", "mature"),
        Column("average_precision", "average precision", "number", 3),
        Column("estimated_average_precision", "estimated", "number", 3),
    ]
    return Chart(
        "average-precision",
        "Average precision",
        figure(traces, height=260, **layout),
        Table("average-precision", "Average precision", columns, rows),
        "Until a day is mature many of its frauds are not known: read its estimate.",
    )


def _frauds(rows: Sequence[Row]) -> Chart:
    x = [row["business_date"] for row in rows]
    traces = [
        bars("known by now", x, [row["frauds"] for row in rows], BASELINE),
        line("expected", x, [row["expected_frauds"] for row in rows], FORECAST,
             mode="lines+markers"),
    ]  # fmt: skip
    columns = [
        Column("business_date", "business date", "date"),
        Column("frauds", "known by now", "number", 0),
        Column("expected_frauds", "expected", "number", 1),
    ]
    return Chart(
        "frauds",
        "Frauds",
        figure(traces, height=260, yaxis={"rangemode": "tozero"}, xaxis=days_axis(x), bargap=0.5),
        Table("frauds", "Frauds by day", columns, rows),
        "On mature days both should be alike, or the probabilities are not right.",
    )


def _quality(rows: Sequence[Row]) -> Table:
    columns = [
        Column("business_date", "business date", "date"),
        Column("mature", "mature"),
        Column("events", "events", "number", 0),
        Column("frauds", "frauds known", "number", 0),
        Column("auc", "AUC", "number", 3),
        Column("estimated_auc", "estimated", "number", 3),
        Column("card_precision", "card precision", "percent"),
        Column("estimated_card_precision", "estimated", "percent"),
        Column("caught_value", "caught", "number", 2),
        Column("missed_value", "missed", "number", 2),
        Column("version", "version"),
        Column("gate", "gate", "mark"),
    ]
    return Table("quality", "Quality by day", columns, rows, "No day is scored yet.")


def _proofs(rows: Sequence[Row]) -> Table:
    columns = [
        Column("business_date", "business date", "date"),
        Column("verdict", "proof", "mark"),
        Column("decisions", "made again", "number", 0),
        Column("decisions_made", "decisions", "number", 0),
        Column("differing", "differ", "number", 0),
        Column("wrong_tiles", "wrong tiles", "number", 0),
        Column("finding", "finding", "text", 0),
        Column("proven_at", "when (UTC)", "moment"),
    ]
    return Table("proofs", "Decisions made again", columns, rows, "No night has looked yet.")


def _latency(rows: Sequence[Row]) -> Table:
    columns = [
        Column("stream", "stream"),
        Column("business_date", "day", "date"),
        Column("hour", "hour", "number", 0),
        Column("decisions", "answers", "number", 0),
        Column("stale", "without the warehouse", "number", 0),
        Column("p50_ms", "P50, ms", "number"),
        Column("p99_ms", "P99, ms", "number"),
        Column("within_40_ms", "within 40 ms", "percent"),
    ]
    return Table("latency", "How long answers took", columns, rows, "Nothing was decided lately.")
