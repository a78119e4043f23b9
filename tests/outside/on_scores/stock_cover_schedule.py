"""When `stock_cover` is scored: every day, once the sales forecast is out."""

from daybreak.models.schedule import Schedule, ScoresOf

SCHEDULE = Schedule(
    description="How far a stock of each item lasts in the coming week.",
    inputs=(ScoresOf("sales_forecast"),),
    needs=("sales",),
)
