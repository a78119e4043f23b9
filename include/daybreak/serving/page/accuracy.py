"""``/ui/accuracy``: how good the forecasts were, by horizon, store, category and version."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from flask import Response

from daybreak.charts.figures import (
    BASELINE,
    FORECAST,
    Chart,
    bars,
    days_axis,
    figure,
    line,
    plain,
)
from daybreak.charts.tables import Column, Table
from daybreak.serving.http.auth import needs
from daybreak.serving.page.asked import text_of, whole_of
from daybreak.serving.page.forecast import REPORT
from daybreak.serving.page.frame import answered_by, blueprint, shown
from daybreak.serving.page.reading import Row, reading
from daybreak.serving.service import current_service

MOST_DAYS = 28
ROWS_AT_ONCE = 28_000
"""Rows that are judged without being asked for more: each takes 6 to 10 µs."""
READ = 1 / 16
"""Of that, what it takes to read a row that is not judged: all days ahead lie together."""
HORIZON = 28
SHOWN = 40
"""Bars of a chart; the table has all."""

_KNOWN = """
    SELECT newest_closed, rows
    FROM report.freshness
    WHERE model = :model AND newest IS NOT NULL
"""
_NAMES = """
    SELECT DISTINCT store_id, store_name, category FROM report.forecast WHERE horizon = 1
    ORDER BY store_id LIMIT 2000
"""
_MEASURES = """
    SELECT
        grouping(business_date, horizon, store_id, category, version) AS level,
        business_date, horizon, store_id, max(store_name) AS store_name, category, version,
        sum(rows)::bigint AS rows,
        sum(actual_units) AS units,
        sum(absolute_error_p50) / nullif(sum(actual_units), 0) AS wape,
        sum(absolute_error_naive) / nullif(sum(actual_units), 0) AS wape_naive,
        (sum(forecast_units) - sum(actual_units)) / nullif(sum(actual_units), 0) AS bias,
        avg(coverage) AS coverage,
        avg(pinball) AS pinball,
        avg(pinball_naive) AS pinball_naive
    FROM report.forecast_accuracy
    WHERE business_date BETWEEN :first AND :last
        AND target_date <= :closed  -- implied, but known before anything is looked up
        AND (:store = '' OR store_id = :store)
        AND (:category = '' OR category = :category)
    GROUP BY GROUPING SETS ((business_date), (horizon), (store_id), (category), (version), ())
    ORDER BY business_date, horizon, store_id, category, version
"""
_LEVELS = {"date": 0b01111, "horizon": 0b10111, "store": 0b11011, "category": 0b11101}
_VERSION, _ALL = 0b11110, 0b11111
_MEASURED = [
    Column("rows", "forecasts", "number", 0),
    Column("units", "sold", "number", 0),
    Column("wape", "WAPE", "percent"),
    Column("wape_naive", "WAPE, seasonal naive", "percent"),
    Column("bias", "bias", "percent"),
    Column("coverage", "within P10–P90", "percent"),
    Column("pinball", "pinball", "number", 3),
    Column("pinball_naive", "pinball, seasonal naive", "number", 3),
]


@blueprint.get("/accuracy")
@needs("predict")
def accuracy() -> Response:
    """Accuracy."""
    model = answered_by(REPORT)
    store, category = text_of("store"), text_of("category")
    asked = whole_of("days", 1, MOST_DAYS)
    with reading(current_service().runtime) as ask:
        known = ask(_KNOWN, model=model.name)
        if not known or known[0]["newest_closed"] is None:
            return shown("accuracy.html", "Accuracy", active="forecast", headline=None, days=0)
        days = asked or affordable(known[0]["rows"])
        last = known[0]["newest_closed"] - timedelta(days=1)  # its next day is closed
        found = ask(
            _MEASURES,
            first=last - timedelta(days=days - 1),
            last=last,
            closed=known[0]["newest_closed"],
            store=store,
            category=category,
        )
        names = ask(_NAMES)
    by = {name: [row for row in found if row["level"] == bits] for name, bits in _LEVELS.items()}
    versions = _table("version", [row for row in found if row["level"] == _VERSION])
    charts = [
        _lines("horizon", "By days ahead", by["horizon"], "horizon"),
        _lines("date", "By business date", by["date"], "business_date"),
        _bars("category", "By category", by["category"]),
        _bars("store", "By store", by["store"]),
    ]
    return shown(
        "accuracy.html",
        "Accuracy",
        [*(chart.table for chart in charts if chart), versions],
        active="forecast",
        days=days,
        most=MOST_DAYS,
        last=last,
        newest=by["date"][-1] if by["date"] else None,
        headline=next((row for row in found if row["level"] == _ALL and row["rows"]), None),
        charts=[chart for chart in charts if chart],
        versions=versions,
        stores=sorted({(row["store_id"], row["store_name"] or row["store_id"]) for row in names}),
        categories=sorted({row["category"] for row in names if row["category"]}),
        store=store,
        category=category,
    )


def affordable(rows: int | None) -> int:
    """Business dates up to the newest closed day that are judged within ``ROWS_AT_ONCE``.

    ``rows`` of one generation, all of which are read: of the n-th date before the end, n days
    ahead are closed.
    """
    read = rows or 0
    series = max(read / HORIZON, 1.0)
    fits = [n for n in range(1, 15) if n * read * READ + series * n * (n + 1) / 2 <= ROWS_AT_ONCE]
    return max(fits, default=1)


def _table(name: str, rows: Sequence[Row]) -> Table:
    first = {
        "date": [Column("business_date", "business date", "date")],
        "horizon": [Column("horizon", "ahead", "number", 0)],
        "store": [Column("store_id", "store"), Column("store_name", "name")],
        "category": [Column("category", "category")],
        "version": [Column("version", "version")],
    }[name]
    title = f"Accuracy by {name}"
    return Table(f"accuracy-by-{name}", title, [*first, *_MEASURED], rows, "Nothing is closed yet.")


def _lines(name: str, title: str, rows: Sequence[Row], key: str) -> Chart | None:
    if not rows:
        return None
    x = [row[key] for row in rows]
    traces = [
        line("seasonal naive", x, _of(rows, "wape_naive"), BASELINE, mode="lines+markers"),
        line("Daybreak", x, _of(rows, "wape"), FORECAST, mode="lines+markers"),
    ]
    axis: dict[str, Any] = {"dtick": 1 if len(x) < 20 else 7} if key == "horizon" else {}
    if key == "business_date":
        axis = days_axis(x)
    layout = figure(traces, height=260, yaxis=_PERCENT, xaxis=axis)
    return Chart(name, title, layout, _table(name, rows))


def _bars(name: str, title: str, rows: Sequence[Row]) -> Chart | None:
    key = {"category": "category", "store": "store_id"}[name]
    known = [row for row in rows if row[key] is not None]
    if len(known) < 2:
        return None
    most = sorted(known, key=lambda row: -row["units"])[:SHOWN]
    x = [plain(row.get("store_name") or row[key]) for row in most]
    if name == "category":
        x = [plain(row[key]) for row in most]
    traces = [
        bars("Daybreak", x, _of(most, "wape"), FORECAST),
        bars("seasonal naive", x, _of(most, "wape_naive"), BASELINE),
    ]
    layout = figure(traces, height=280, yaxis=_PERCENT, xaxis={"type": "category"}, bargap=0.35)
    return Chart(name, title, layout, _table(name, rows))


_PERCENT = {"tickformat": ".0%", "rangemode": "tozero", "title": {"text": "WAPE"}}


def _of(rows: Sequence[Row], name: str) -> list[Any]:
    return [row[name] for row in rows]
