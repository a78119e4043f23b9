"""When prices are proposed: once the forecast that they stand on is published."""

from __future__ import annotations

from daybreak.models.schedule import Schedule, ScoresOf

SCHEDULE = Schedule(
    "daily_prices",
    "Proposes prices under the rules of the data set; a person agrees to what is large.",
    inputs=(ScoresOf("sales_forecast"),),
    needs=("sales", "pricing"),
    asks=True,
)
