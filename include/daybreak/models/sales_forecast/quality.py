"""How good the published forecast of a business date was, once its sales are known."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, text

from daybreak.clock import AsOf
from daybreak.models.base import Measured

LEAST = {"wape": 0.05, "bias": 0.1, "silent": 0.05}
"""A change of each measure that is worth a word."""

_SUMS = text(
    """
    WITH earlier AS (
        -- The newest that is published before the day, by what it knew.
        SELECT pointer.generation_id, pointer.business_date
        FROM ops.published AS pointer
        JOIN ops.generation AS scored_as ON scored_as.generation_id = pointer.generation_id
        WHERE pointer.model = 'sales_forecast' AND pointer.business_date < :day
            AND scored_as.cutoff <= :cutoff
        ORDER BY pointer.business_date DESC
        LIMIT 1
    ),
    forecast AS (
        SELECT scored.store_id, scored.item_id, scored.p50, scored.mean
        FROM earlier
        JOIN score.sales_forecast AS scored USING (business_date, generation_id)
        WHERE scored.target_date = :day
    ),
    sold AS (
        -- What was known last by then holds; no row of sales is 0.
        SELECT DISTINCT ON (sale.store_id, sale.item_id) sale.store_id, sale.item_id, sale.units
        FROM raw.sales AS sale
        WHERE sale.business_date = :day AND sale.loaded_at <= :cutoff
        ORDER BY sale.store_id, sale.item_id, sale.loaded_at DESC, sale.load_id DESC
    )
    SELECT
        count(*) AS rows,
        coalesce(sum(sold.units), 0) AS units,
        coalesce(sum(forecast.mean::double precision), 0) AS mean,
        coalesce(sum(abs(forecast.p50::double precision - coalesce(sold.units, 0))), 0) AS error,
        coalesce(
            sum(forecast.mean::double precision) FILTER (WHERE coalesce(sold.units, 0) <= 0), 0
        ) AS silent
    FROM forecast
    LEFT JOIN sold USING (store_id, item_id)
    -- A public holiday says nothing of the version: who is open then, and who comes, is chance.
    WHERE NOT EXISTS (
        SELECT FROM raw.calendar AS day WHERE day.business_date = :day AND day.holiday IS NOT NULL
    )
    """
)


@dataclass(frozen=True)
class Sums:
    """Over ``rows`` series of a day: what was sold, the means that were forecast, the absolute
    errors of P50, and the means of series that sold nothing."""

    rows: int
    units: float
    mean: float
    error: float
    silent: float

    def measures(self) -> Mapping[str, Measured]:
        """``wape``: errors by units. ``bias``: units by means, less 1. ``silent``: its share of
        the means. Nothing where nothing sold: shops were closed."""
        if self.units <= 0 or self.mean <= 0:
            return {}
        found = {
            "wape": self.error / self.units,
            "bias": self.units / self.mean - 1,
            "silent": self.silent / self.mean,
        }
        return {name: Measured(value, self.rows, LEAST[name]) for name, value in found.items()}


def quality(warehouse: Connection, as_of: AsOf) -> Mapping[str, Measured]:
    """The measures of the newest forecast that was published before the business date.

    A closed day is forecast as 0 and sells nothing, so its rows add nothing to any.
    """
    asked = {"day": as_of.business_date, "cutoff": as_of.cutoff}
    return Sums(*warehouse.execute(_SUMS, asked).one()).measures()


def promised(manifest: Mapping[str, Any]) -> Mapping[str, float]:
    """The same on the days that training held out; nothing of a baseline."""
    held_out = manifest.get("metrics", {}).get("held_out", {})
    if not held_out.get("rows"):
        return {}
    # There it is the forecast beside what was sold.
    forecast = 1 + held_out["bias_mean"]
    found = {"wape": held_out["wape"]["model"]}
    return found | ({"bias": 1 / forecast - 1} if forecast > 0 else {})
