"""When `week_ahead` is scored: once the sales forecast is out."""

from daybreak.models.schedule import Schedule, ScoresOf

SCHEDULE = Schedule(
    "nightly_week_ahead",
    "Sums the forecast of the coming week for every series.",
    inputs=(ScoresOf("sales_forecast"),),
)
