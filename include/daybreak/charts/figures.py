"""Figures as Plotly's JSON, written by hand: its Python is not needed to serve them.

Colours are names of the style sheet's, which the script looks up, so that they follow light and
dark. Texts are plain: Plotly would read tags in them.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from daybreak.charts.tables import Table

Figure = dict[str, Any]
INK, FORECAST, FAN, BASELINE, FAINT, GOOD, BAD = (
    f"var(--{name})" for name in ("ink", "forecast", "fan", "baseline", "faint", "good", "bad")
)


@dataclass(frozen=True)
class Chart:
    """A figure, the table of what it shows, and in a sentence what to see in it."""

    id: str
    title: str
    figure: Figure
    table: Table
    note: str = ""


def plain(text: object) -> str:
    """A text as Plotly shows it literally."""
    shown = str(text).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return shown.replace("$", "&#36;").replace("%{", "%&#123;")


def figure(traces: Sequence[Mapping[str, Any]], *, height: int = 320, **layout: Any) -> Figure:
    """Traces with a layout. Values become JSON: dates ISO text, what is not finite null."""
    return {"data": _values(list(traces)), "layout": _values({"height": height, **layout})}


def line(name: str, x: Sequence[Any], y: Sequence[Any], colour: str, **more: Any) -> Figure:
    """A line; ``width``, ``dash`` and ``mode`` may differ."""
    style = {"color": colour, "width": more.pop("width", 2)}
    if dash := more.pop("dash", None):
        style["dash"] = dash
    mode = more.pop("mode", "lines")
    return {
        "type": "scatter",
        "mode": mode,
        "name": plain(name),
        "x": x,
        "y": y,
        "line": style,
        "marker": {"size": 5, "color": colour},
        **more,
    }


def band(name: str, x: Sequence[Any], low: Sequence[Any], high: Sequence[Any]) -> list[Figure]:
    """What lies between two lines, such as P10 and P90."""
    edge = {"width": 0}
    common = {"type": "scatter", "mode": "lines", "x": x, "line": edge, "hoverinfo": "skip"}
    return [
        {**common, "y": low, "showlegend": False},
        {**common, "y": high, "name": plain(name), "fill": "tonexty", "fillcolor": FAN},
    ]


def bars(name: str, x: Sequence[Any], y: Sequence[Any], colour: str, **more: Any) -> Figure:
    """Bars."""
    marker = {"color": colour}
    return {"type": "bar", "name": plain(name), "x": x, "y": y, "marker": marker, **more}


def days_axis(days: Sequence[date]) -> Figure:
    """An axis of days that names each at most once."""
    axis: Figure = {"type": "date", "tickformat": "%b %d"}
    few = not days or (max(days) - min(days)).days <= 8
    return axis | ({"dtick": 86_400_000} if few else {"nticks": 7})


def upright(place: date | float) -> Figure:
    """A faint line at a day, or at a number."""
    return {
        "type": "line",
        "x0": place,
        "x1": place,
        "yref": "paper",
        "y0": 0,
        "y1": 1,
        "line": {"color": FAINT, "width": 1, "dash": "dot"},
    }


def _values(value: Any) -> Any:
    match value:
        case dict():
            return {name: _values(inner) for name, inner in value.items()}
        case list() | tuple():
            return [_values(inner) for inner in value]
        case date():  # a datetime is one
            return value.isoformat()
        case float() if not math.isfinite(value):
            return None
        case str() | int() | float() | None:
            return value
    return float(value)  # of a Decimal
