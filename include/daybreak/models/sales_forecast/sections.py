"""What the period reports of the sales forecast have: what was forecast about its days, what came
true, beside seasonal naive."""

from __future__ import annotations

from typing import Literal

from daybreak.charts.tables import Column
from daybreak.warehouse.reports.section import Drawn, Section

# Forecasts about the days of the period: of as many business dates before it as days are forecast.
_ACCURACY = """
    SELECT
        CASE grouping(target_date, horizon, store_id, category, item_id, version)
            WHEN 31 THEN 'day'
            WHEN 47 THEN 'ahead'
            WHEN 55 THEN 'store'
            WHEN 59 THEN 'category'
            WHEN 61 THEN 'item'
            WHEN 62 THEN 'version'
            ELSE 'all'
        END AS level,
        target_date,
        horizon,
        store_id,
        max(store_name) AS store_name,
        category,
        item_id,
        max(item_name) AS item_name,
        version,
        sum(rows)::bigint AS rows,
        sum(actual_units) AS units,
        sum(forecast_units) AS forecast,
        sum(absolute_error_p50) / nullif(sum(actual_units), 0) AS wape,
        sum(absolute_error_naive) / nullif(sum(actual_units), 0) AS wape_naive,
        (sum(forecast_units) - sum(actual_units)) / nullif(sum(actual_units), 0) AS bias,
        avg(coverage) AS coverage,
        avg(pinball) AS pinball,
        avg(pinball_naive) AS pinball_naive,
        sum(absolute_error_naive) - sum(absolute_error_p50) AS nearer
    FROM report.forecast_accuracy
    WHERE business_date BETWEEN CAST(:first AS date) - 28 * CAST(:step AS int)
            AND CAST(:last AS date) - 1
        AND target_date BETWEEN :first AND :last
    GROUP BY GROUPING SETS (
        (target_date), (horizon), (store_id), (category), (item_id), (version), ()
    )
    ORDER BY target_date, horizon, nearer, store_id, category, item_id, version
"""

_MEASURES = (
    Column("rows", "forecasts", "number", 0),
    Column("units", "sold", "number", 0),
    Column("forecast", "forecast, mean", "number", 0),
    Column("wape", "WAPE", "percent"),
    Column("wape_naive", "WAPE, seasonal naive", "percent"),
    Column("bias", "bias", "percent"),
    Column("coverage", "within P10–P90", "percent"),
    Column("pinball", "pinball", "number", 3),
    Column("pinball_naive", "pinball, seasonal naive", "number", 3),
    Column("nearer", "units nearer than naive", "number", 0),
)
_NOTHING = "No forecast was published about a day of this period on which a store was open."


def _by(
    level: str,
    title: str,
    *keys: Column,
    kind: Literal["lines", "bars"] | None = None,
    note: str = "",
) -> Section:
    drawn = Drawn(kind, keys[0].name, ("wape",), ("wape_naive",)) if kind else None
    return Section(
        id=f"accuracy_by_{level}",
        title=title,
        query=_ACCURACY,
        level=level,
        columns=(*keys, *_MEASURES),
        drawn=drawn,
        note=note,
        nothing=_NOTHING,
    )


_WORST_FIRST = (
    "Those come first that seasonal naive would have forecast better, by units, and those last "
    "that gain most."
)

SECTIONS = (
    Section(
        id="accuracy",
        title="How good it was",
        query=_ACCURACY,
        level="all",
        columns=_MEASURES,
        numbers=True,
        note="All published forecasts about the days of the period on which a store was open, "
        "whenever they were made, beside what was sold as known now, and beside seasonal naive. "
        "80 % within P10 and P90 is right, more where many days sell 0.",
        nothing=_NOTHING,
    ),
    Section(
        id="sold",
        title="Forecast the day before, and sold",
        query="""
            SELECT target_date, sum(mean) AS forecast, sum(naive) AS naive, sum(actual) AS units
            FROM report.forecast_actual
            WHERE business_date BETWEEN CAST(:first AS date) - CAST(:step AS int)
                    AND CAST(:last AS date) - 1
                AND target_date BETWEEN :first AND :last AND horizon = 1
            GROUP BY target_date
            ORDER BY target_date
        """,
        columns=(
            Column("target_date", "day", "date"),
            Column("forecast", "forecast, mean", "number", 0),
            Column("naive", "seasonal naive", "number", 0),
            Column("units", "sold", "number", 0),
        ),
        drawn=Drawn("lines", "target_date", ("forecast", "units"), ("naive",)),
        note="Of all series together, days on which a store was closed included.",
        nothing="Nothing was forecast the day before.",
    ),
    _by("day", "By day", Column("target_date", "day", "date"), kind="lines"),
    _by("ahead", "By days ahead", Column("horizon", "ahead", "number", 0), kind="lines"),
    _by("category", "By category", Column("category", "category"), kind="bars", note=_WORST_FIRST),
    _by(
        "store",
        "By store",
        Column("store_id", "store"),
        Column("store_name", "name"),
        kind="bars",
        note=_WORST_FIRST,
    ),
    _by(
        "item",
        "By item",
        Column("item_id", "item"),
        Column("item_name", "name"),
        note=_WORST_FIRST,
    ),
    _by("version", "By version", Column("version", "version")),
)
