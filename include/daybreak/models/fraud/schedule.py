"""When the events of a day are scored."""

from __future__ import annotations

from daybreak.models.schedule import Schedule

SCHEDULE = Schedule(
    "daily_fraud",
    "Proves the decisions of one business date, scores its events, and lists what to review.",
    needs=("streams", "labels"),
    proves=True,
)
