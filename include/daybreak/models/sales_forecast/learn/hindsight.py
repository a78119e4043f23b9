"""Forecasts of the next period beside what was sold."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, timedelta
from typing import Any

import numpy as np
from sqlalchemy import Connection

from daybreak.clock import AsOf
from daybreak.facts.days import days_of_period
from daybreak.facts.sales import read_actuals
from daybreak.models.hindsight import Columns, Hindsight, Realised


class ForecastHindsight(Hindsight):
    """The forecast that is acted on is the one of the next period, however far ahead it was made.

    The measure is the gate's: WAPE of P50, the sum of absolute errors over the sum of units.
    """

    measure = "WAPE"
    unit = "unit of sales that the forecast was off by"
    acted_on = ("p50",)

    def known_from(self, warehouse: Connection, day: date, manifest: Mapping[str, Any]) -> date:
        """The end of the next period."""
        return day + timedelta(days=days_of_period(warehouse))

    def used(self, warehouse: Connection, day: date, columns: Columns) -> Columns:
        """Rows whose target date is the next one."""
        target = np.datetime64(day + timedelta(days=days_of_period(warehouse)), "D")
        rows = columns["target_date"].astype("M8[D]") == target
        return {name: values[rows] for name, values in columns.items()}

    def realised(self, warehouse: Connection, truth: AsOf, day: date, columns: Columns) -> Realised:
        """Units lost are those of the absolute error of P50."""
        target = day + timedelta(days=days_of_period(warehouse))
        series = list(zip(columns["store_id"].tolist(), columns["item_id"].tolist(), strict=True))
        sold = read_actuals(warehouse, truth, target, target, series)[:, 0].astype(np.float64)
        error = float(np.abs(columns["p50"].astype(np.float64) - sold).sum())
        units = float(sold.sum())
        return Realised(error / units if units else 0.0, units, error)
