"""``/ui/data``: what was loaded, what was refused and why, and which days are closed."""

from __future__ import annotations

import calendar
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from flask import Response

from daybreak.charts.figures import BAD, FORECAST, Chart, bars, figure
from daybreak.charts.tables import Column, Table
from daybreak.serving.http.auth import needs
from daybreak.serving.page.frame import blueprint, shown
from daybreak.serving.page.reading import Row, reading
from daybreak.serving.service import current_service

MOST_LOADS = 100
MOST_REFUSED = 100
SHOWN = timedelta(days=183)
"""Of the calendar, up to the newest closed day."""
AHEAD = timedelta(days=7)

_LOADS = "SELECT * FROM report.load ORDER BY load_id DESC LIMIT :most"
_REASONS = """
    SELECT source, field, reason, count(*) AS rows, max(load_id) AS newest_load,
        min(row_number) AS such_as
    FROM report.quarantine
    WHERE load_id >= :since
    GROUP BY source, field, reason
    ORDER BY rows DESC
    LIMIT :most
"""
_REFUSED = """
    SELECT load_id, source, uri, row_number, field, reason, row::text AS row, quarantined_at
    FROM report.quarantine
    WHERE load_id >= :since
    ORDER BY load_id DESC, row_number
    LIMIT :most
"""
_NEWEST = """
    SELECT max(business_date) AS newest, min(business_date) AS oldest
    FROM report.day WHERE closed_at IS NOT NULL
"""
_DAYS = """
    SELECT business_date, closed_at, open, holiday, days
    FROM report.day
    WHERE business_date BETWEEN :first AND :last
    ORDER BY business_date
"""


@dataclass(frozen=True)
class Day:
    """A cell of the calendar. ``state``: closed, missing, shut or ahead."""

    number: int
    state: str
    said: str


@dataclass(frozen=True)
class Month:
    """Its weeks from Monday on; None where a day is another month's."""

    title: str
    weeks: Sequence[Sequence[Day | None]]


@blueprint.get("/data")
@needs("predict")
def data() -> Response:
    """Data."""
    service = current_service()
    with reading(service.runtime) as ask:
        loads = ask(_LOADS, most=MOST_LOADS)
        since = loads[-1]["load_id"] if loads else 0
        reasons = ask(_REASONS, since=since, most=MOST_REFUSED)
        refused = ask(_REFUSED, since=since, most=MOST_REFUSED)
        (known,) = ask(_NEWEST)
        newest = known["newest"]
        days = ask(_DAYS, first=newest - SHOWN, last=newest + AHEAD) if newest else []
    tables = [_loads(loads), _reasons(reasons), _refused(refused), _days(days)]
    charts = [_loaded(loads)] if loads else []
    return shown(
        "data.html",
        "Data",
        [*tables, *(chart.table for chart in charts)],
        loads=tables[0],
        reasons=tables[1],
        refused=tables[2],
        days=tables[3],
        newest=newest,
        months=months(days, newest, known["oldest"]) if newest else [],
        weekly=any(row["days"] > 1 for row in days),
        charts=charts,
        dataset=service.runtime.settings.dataset,
    )


def months(days: Sequence[Row], newest: date, oldest: date) -> list[Month]:
    """The calendar of ``days``. A day up to ``newest`` without facts is missing, where the calendar
    does not say that the business was not open."""
    known = {row["business_date"]: row for row in days}
    first, last = max(newest - SHOWN, oldest), newest + AHEAD
    found = []
    year, month = first.year, first.month
    while (year, month) <= (last.year, last.month):
        weeks = [
            [
                _day(one, known.get(one), newest)
                if one.month == month and first <= one <= last
                else None
                for one in week
            ]
            for week in calendar.Calendar().monthdatescalendar(year, month)
        ]
        if any(any(week) for week in weeks):
            title = f"{calendar.month_name[month]} {year}"
            found.append(Month(title, [week for week in weeks if any(week)]))
        year, month = (year + 1, 1) if month == 12 else (year, month + 1)
    return found


def _day(day: date, row: Row | None, newest: date) -> Day:
    holiday = f", {row['holiday']}" if row and row["holiday"] else ""
    if row and row["closed_at"]:
        said = f"{day}: closed {row['closed_at']:%Y-%m-%d %H:%M}{holiday}"
        return Day(day.day, "closed", said)
    if row and row["open"] is False:
        return Day(day.day, "shut", f"{day}: not open{holiday}")
    if day > newest:
        return Day(day.day, "ahead", f"{day}: to come{holiday}")
    return Day(day.day, "missing", f"{day}: not closed{holiday}")


def _loaded(loads: Sequence[Row]) -> Chart:
    by_day: dict[date, list[int]] = {}
    for row in loads:
        kept = by_day.setdefault(row["finished_at"].date(), [0, 0])
        kept[0] += row["rows_loaded"]
        kept[1] += row["rows_quarantined"]
    rows = [
        {"day": day, "loaded": good, "refused": bad} for day, (good, bad) in sorted(by_day.items())
    ]
    x = [str(row["day"]) for row in rows]
    traces = [
        bars("loaded", x, [row["loaded"] for row in rows], FORECAST),
        bars("refused", x, [row["refused"] for row in rows], BAD),
    ]
    columns = [
        Column("day", "day", "date"),
        Column("loaded", "new rows", "number", 0),
        Column("refused", "refused", "number", 0),
    ]
    layout = {
        "barmode": "stack",
        "xaxis": {"type": "category"},
        "bargap": 0.6 if len(x) > 3 else 0.9,
    }
    return Chart(
        "loaded",
        "Rows by the day on which they came in",
        figure(traces, height=220, **layout),
        Table("loaded-by-day", "Rows by day", columns, rows),
    )


def _loads(rows: Sequence[Row]) -> Table:
    columns = [
        Column("load_id", "load", "number", 0),
        Column("finished_at", "when (UTC)", "moment"),
        Column("source", "section"),
        Column("uri", "file or query"),
        Column("rows_read", "read", "number", 0),
        Column("rows_loaded", "new", "number", 0),
        Column("rows_quarantined", "refused", "number", 0),
        Column("first_date", "from", "date"),
        Column("last_date", "to", "date"),
    ]
    return Table("loads", "Loads", columns, rows, "Nothing was loaded yet.")


def _reasons(rows: Sequence[Row]) -> Table:
    columns = [
        Column("source", "section"),
        Column("field", "field"),
        Column("reason", "what is wrong", "text", 0),
        Column("rows", "rows", "number", 0),
        Column("newest_load", "newest load", "number", 0),
        Column("such_as", "such as row", "number", 0),
    ]
    return Table("reasons", "Why rows were refused", columns, rows, "Nothing was refused.")


def _refused(rows: Sequence[Row]) -> Table:
    columns = [
        Column("load_id", "load", "number", 0),
        Column("source", "section"),
        Column("row_number", "row", "number", 0),
        Column("field", "field"),
        Column("reason", "what is wrong", "text", 0),
        Column("row", "the row", "text", 0),
        Column("uri", "file or query"),
    ]
    return Table("refused", "Rows that were refused", columns, rows, "Nothing was refused.")


def _days(rows: Sequence[Row]) -> Table:
    columns = [
        Column("business_date", "day", "date"),
        Column("closed_at", "closed (UTC)", "moment"),
        Column("open", "open"),
        Column("holiday", "holiday"),
    ]
    return Table("days", "Business days", columns, rows)
