"""When the sales forecast is scored."""

from __future__ import annotations

from daybreak.models.schedule import Schedule

SCHEDULE = Schedule(
    "daily_forecast",
    "Forecasts the sales of the coming days for every series, published at once.",
    needs=("sales",),
)
