"""A report as one HTML page that needs nothing beside it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from daybreak.charts.document import environment
from daybreak.charts.figures import (
    BAD,
    BASELINE,
    FORECAST,
    GOOD,
    INK,
    Figure,
    bars,
    days_axis,
    figure,
    line,
    plain,
)
from daybreak.charts.tables import Column
from daybreak.period import Period
from daybreak.reporting.answers import Answer, Row

_COLOURS = (FORECAST, GOOD, BAD, INK)
_DATES = 2
"""With fewer dates, lines would be dots."""


@dataclass(frozen=True)
class About:
    """``known_at``: knowledge time of all numbers. ``nights``: published business dates of the
    period."""

    model: str
    period: Period
    known_at: datetime
    nights: int


@dataclass(frozen=True)
class Part:
    """A section as the page shows it."""

    answer: Answer
    figure: Figure | None
    first: Sequence[Row]
    last: Sequence[Row]


def page(about: About, answers: Sequence[Answer]) -> str:
    """The whole page. Each number is a ``data`` element with the whole number as its value."""
    template = environment("daybreak.reporting").get_template("report.html")
    parts = [_part(one) for one in answers]
    return template.render(title=f"{about.model}, {about.period}", about=about, parts=parts)


def _part(answer: Answer) -> Part:
    rows, most = answer.rows, answer.section.most
    if len(rows) <= most:
        return Part(answer, drawn(answer), rows, ())
    half = most // 2
    return Part(answer, drawn(answer), rows[: most - half], rows[len(rows) - half :])


def drawn(answer: Answer) -> Figure | None:
    """The figure of an answer; None where it has none, or too little to draw."""
    how = answer.section.drawn
    columns = {column.name: column for column in answer.section.columns}
    if how is None or not answer.rows:
        return None
    rows = [row for row in answer.rows if row[how.x] is not None]
    if how.kind == "bars" and not _is_ordered(rows, how.x):
        rows = rows[: how.most]
    if not rows or (how.kind == "lines" and len({row[how.x] for row in rows}) < _DATES):
        return None
    if all(row[name] is None for row in rows for name in how.values):
        return None
    shown = columns[how.x].shown
    x = [row[how.x] if _is_ordered(rows, how.x) else plain(shown(row[how.x])) for row in rows]
    traces = []
    named = [(name, BASELINE) for name in how.beside]
    named += [(name, _COLOURS[n % len(_COLOURS)]) for n, name in enumerate(how.values)]
    for name, colour in named:
        y = [row[name] for row in rows]
        if how.kind == "lines":
            traces.append(line(columns[name].title, x, y, colour, mode="lines+markers"))
        else:
            traces.append(bars(columns[name].title, x, y, colour))
    layout: dict[str, Any] = {"yaxis": _axis(columns[how.values[0]])}
    layout["xaxis"] = _x_axis(rows, how.x) | {"title": {"text": plain(columns[how.x].title)}}
    return figure(traces, height=300, bargap=0.35, **layout)


def _is_ordered(rows: Sequence[Row], name: str) -> bool:
    return all(isinstance(row[name], date | int | float) for row in rows)


def _x_axis(rows: Sequence[Row], name: str) -> dict[str, Any]:
    if all(isinstance(row[name], date) for row in rows):
        return days_axis([row[name] for row in rows])
    return {} if _is_ordered(rows, name) else {"type": "category"}


def _axis(column: Column) -> dict[str, Any]:
    percent = {"tickformat": ".0%"} if column.kind == "percent" else {}
    return {"rangemode": "tozero", **percent}
