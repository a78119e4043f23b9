"""When the recommendations are scored."""

from __future__ import annotations

from daybreak.models.schedule import Schedule

SCHEDULE = Schedule(
    "daily_recommendations",
    "Lists the best items for every active user as of one business date, all at once.",
    needs=("interactions",),
)
