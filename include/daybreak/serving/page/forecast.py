"""``/ui/forecast``: one series, what was forecast of it, what came true, and what if."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from flask import Response

from daybreak.charts.figures import (
    BASELINE,
    FAINT,
    FORECAST,
    INK,
    Chart,
    band,
    figure,
    line,
    upright,
)
from daybreak.charts.tables import Column, Table
from daybreak.errors import DaybreakError
from daybreak.models.base import AnyModel
from daybreak.serving.http.auth import needs
from daybreak.serving.http.body import parse
from daybreak.serving.page.asked import day_of, number_of, text_of
from daybreak.serving.page.frame import answered_by, blueprint, shown
from daybreak.serving.page.reading import Ask, Row, reading
from daybreak.serving.service import current_service

REPORT = "forecast_actual"
BEFORE = timedelta(days=84)
"""Of sales that are shown before the forecast."""
AHEAD = timedelta(days=400)
"""Beyond the last day of any forecast, weekly ones included."""
VINTAGES = timedelta(days=35)
"""Days within which earlier forecasts are shown beside what came true."""
MOST_SERIES = 5000

_SERIES = """
    SELECT store_id, store_name, item_id, item_name, category, mean
    FROM report.forecast
    WHERE horizon = 1
    ORDER BY mean DESC, store_id, item_id
    LIMIT :most
"""
_DAYS = """
    SELECT business_date, version
    FROM report.forecast_vintages
    WHERE store_id = :store AND item_id = :item AND horizon = 1
        AND business_date BETWEEN :first AND :last
    ORDER BY business_date DESC
"""
_FAN = """
    SELECT target_date, horizon, p10, p50, p90, mean, version, generation_id, gate, item_name,
        store_name, category
    FROM report.forecast_vintages
    WHERE store_id = :store AND item_id = :item AND business_date = :day
    ORDER BY horizon
"""
_SOLD = """
    SELECT day.business_date, coalesce(sales.units, 0) AS units, sales.price, sales.promotion
    FROM report.day AS day
    LEFT JOIN report.sales AS sales
        ON sales.business_date = day.business_date
        AND sales.store_id = :store AND sales.item_id = :item
        AND sales.business_date BETWEEN :first AND :last
    WHERE day.closed_at IS NOT NULL AND day.business_date BETWEEN :first AND :last
    ORDER BY day.business_date
"""
_CAME_TRUE = """
    SELECT business_date, target_date, horizon, p10, p50, p90, mean, actual, naive, open, version
    FROM report.forecast_actual
    WHERE store_id = :store AND item_id = :item AND business_date BETWEEN :first AND :last
    ORDER BY business_date DESC, horizon
"""


@dataclass(frozen=True)
class Chosen:
    """What is shown: a series as of a business date."""

    store: str
    item: str
    day: date


@blueprint.get("/forecast")
@needs("predict")
def forecast() -> Response:
    """A series."""
    model = answered_by(REPORT)
    with reading(current_service().runtime) as ask:
        newest = _newest(ask, model)
        if newest is None:
            return shown("forecast.html", "Forecast", newest=None, model=model.name)
        series = ask(_SERIES, most=MOST_SERIES)
        chosen = _chosen(series, newest)
        of_series = {"store": chosen.store, "item": chosen.item}
        days = ask(_DAYS, first=newest - VINTAGES, last=newest, **of_series)
        fan = ask(_FAN, day=chosen.day, **of_series)
        sold = ask(_SOLD, first=chosen.day - BEFORE, last=chosen.day + AHEAD, **of_series)
        past = ask(_CAME_TRUE, first=chosen.day - VINTAGES, last=chosen.day, **of_series)
    what_if, fault = _what_if(model, chosen)
    charts = [_series_chart(chosen, sold, fan, past)] if fan else []
    if what_if:
        charts.append(_what_if_chart(fan, what_if))
    came_true = _came_true(past)
    return shown(
        "forecast.html",
        "Forecast",
        [*(chart.table for chart in charts), came_true],
        newest=newest,
        model=model.name,
        chosen=chosen,
        known=fan[0] if fan else None,
        days=days,
        choices=_choices(series, chosen),
        more=len(series) == MOST_SERIES,
        charts=charts,
        came_true=came_true,
        fault=fault,
        change=_change(fan, what_if),
        takes=model.endpoint.request.model_fields.keys() & {"price", "promotion"},
    )


def _newest(ask: Ask, model: AnyModel) -> date | None:
    found = ask("SELECT newest FROM report.freshness WHERE model = :model", model=model.name)
    return found[0]["newest"] if found else None


def _chosen(series: Sequence[Row], newest: date) -> Chosen:
    """As asked for; else the one of the largest forecast that fits."""
    store, item, category = text_of("store"), text_of("item"), text_of("category")
    if store and item:
        known = [one for one in series if (one["store_id"], one["item_id"]) == (store, item)]
        if not category or not known or known[0]["category"] == category:
            return Chosen(store, item, day_of("day") or newest)
    for one in series:
        fits = (
            store in {"", one["store_id"]},
            item in {"", one["item_id"]},
            category in {"", one["category"]},
        )
        if all(fits):
            return Chosen(one["store_id"], one["item_id"], day_of("day") or newest)
    return Chosen(store, item, day_of("day") or newest)


def _choices(series: Sequence[Row], chosen: Chosen) -> dict[str, list[tuple[str, str]]]:
    """What can be chosen: values with what is shown for them."""
    category = text_of("category")
    stores = {one["store_id"]: one["store_name"] or one["store_id"] for one in series}
    categories = {one["category"] for one in series if one["category"]}
    items = {
        one["item_id"]: " · ".join(filter(None, (one["item_id"], one["item_name"])))
        for one in series
        if one["store_id"] == chosen.store and category in {"", one["category"]}
    }
    items.setdefault(chosen.item, chosen.item)
    return {
        "stores": sorted(stores.items(), key=lambda pair: pair[1]),
        "categories": [(name, name) for name in sorted(categories)],
        "items": sorted(items.items()),
    }


def _series_chart(
    chosen: Chosen, sold: Sequence[Row], fan: Sequence[Row], past: Sequence[Row]
) -> Chart:
    x = [row["target_date"] for row in fan]
    traces = band("P10 to P90", x, [row["p10"] for row in fan], [row["p90"] for row in fan])
    traces += _earlier(past, chosen.day)
    traces.append(
        line("sold", [r["business_date"] for r in sold], [r["units"] for r in sold], INK, width=1.6)
    )
    traces.append(line("P50", x, [row["p50"] for row in fan], FORECAST))
    traces.append(line("mean", x, [row["mean"] for row in fan], FORECAST, dash="dot", width=1.5))
    layout = {
        "shapes": [upright(chosen.day)],
        "yaxis": {"rangemode": "tozero", "title": {"text": "units"}},
        "xaxis": {"type": "date"},
    }
    actual = {row["business_date"]: row["units"] for row in sold}
    rows = [{**row, "actual": actual.get(row["target_date"])} for row in fan]
    columns = [
        Column("target_date", "day", "date"),
        Column("horizon", "ahead", "number", 0),
        *(Column(name, name.upper(), "number") for name in ("p10", "p50", "p90")),
        Column("mean", "mean", "number"),
        Column("actual", "sold", "number"),
    ]
    return Chart(
        "series",
        f"As of {chosen.day}",
        figure(traces, height=380, **layout),
        Table("forecast", "Forecast by day", columns, rows),
        "Sales should stay within the band on four days of five.",
    )


def _earlier(past: Sequence[Row], day: date) -> list[dict[str, Any]]:
    """Earlier forecasts where what came true is known, as one trace with gaps between them."""
    x: list[Any] = []
    y: list[Any] = []
    for before in sorted({row["business_date"] for row in past if row["business_date"] < day}):
        of_day = [row for row in past if row["business_date"] == before]
        x += [row["target_date"] for row in of_day] + [of_day[-1]["target_date"]]
        y += [row["p50"] for row in of_day] + [None]
    if not x:
        return []
    return [line("earlier P50", x, y, FAINT, width=1, hoverinfo="skip")]


def _came_true(past: Sequence[Row]) -> Table:
    columns = [
        Column("business_date", "as of", "date"),
        Column("target_date", "day", "date"),
        Column("horizon", "ahead", "number", 0),
        *(Column(name, name.upper(), "number") for name in ("p10", "p50", "p90")),
        Column("actual", "sold", "number"),
        Column("naive", "seasonal naive", "number"),
        Column("version", "version"),
    ]
    return Table(
        "came-true",
        "Forecasts beside what was sold",
        columns,
        past,
        "No day of these forecasts is closed yet: what was sold is not known.",
    )


# What if


def _what_if(model: AnyModel, chosen: Chosen) -> tuple[list[Row], DaybreakError | None]:
    """The endpoint's answer to the form, or what it refused it for; nothing where none was
    sent."""
    try:
        given: Mapping[str, float | None] = {
            name: number_of(name) for name in ("price", "promotion")
        }
        wanted = {name: value for name, value in given.items() if value is not None}
        if not wanted:
            return [], None
        body = {"store_id": chosen.store, "item_id": chosen.item, "horizon": "all", **wanted}
        asked = parse(model.endpoint.request, json.dumps(body).encode())
        answered = current_service().predict(model, asked)
    except DaybreakError as error:
        return [], error
    predictions: list[Row] = json.loads(answered.json)["predictions"]
    for one in predictions:
        one["target_date"] = date.fromisoformat(one["target_date"])
    return predictions, None


def _what_if_chart(fan: Sequence[Row], what_if: Sequence[Row]) -> Chart:
    planned = {row["target_date"]: row for row in fan}
    x = [row["target_date"] for row in what_if]
    traces = [
        *band("P10 to P90, what if", x, [r["p10"] for r in what_if], [r["p90"] for r in what_if]),
        line("as planned", [*planned], [row["mean"] for row in fan], BASELINE),
        line("what if", x, [row["mean"] for row in what_if], FORECAST),
    ]
    rows = [
        {
            **row,
            "planned_mean": planned.get(row["target_date"], {}).get("mean"),
            "planned_p50": planned.get(row["target_date"], {}).get("p50"),
        }
        for row in what_if
    ]
    columns = [
        Column("target_date", "day", "date"),
        Column("planned_mean", "mean, as planned", "number"),
        Column("mean", "mean, what if", "number"),
        Column("planned_p50", "P50, as planned", "number"),
        *(Column(name, f"{name.upper()}, what if", "number") for name in ("p10", "p50", "p90")),
        *(
            Column(name, name.replace("_", " "), "number", 2)
            for name in ("planned_price", "price", "planned_promotion", "promotion")
            if name in what_if[0]
        ),
    ]
    return Chart(
        "what-if",
        "What if",
        figure(traces, yaxis={"rangemode": "tozero", "title": {"text": "expected units"}}),
        Table("what-if", "As planned, and what if", columns, rows),
        "Both are the mean: add these up, never quantiles.",
    )


def _change(fan: Sequence[Row], what_if: Sequence[Row]) -> dict[str, float] | None:
    if not what_if:
        return None
    before, after = (sum(row["mean"] for row in rows) for rows in (fan, what_if))
    return {"before": before, "after": after, "share": (after - before) / before if before else 0.0}
