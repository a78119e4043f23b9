"""What analysts see of decisions about events, one ``.sql`` file a view."""

from __future__ import annotations

from daybreak.warehouse.reports.view import views_of

VIEWS = views_of(
    __name__,
    "fraud_queue",
    "fraud_quality",
    "fraud_latency",
    "fraud_proof",
)
