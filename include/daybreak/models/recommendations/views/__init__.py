"""What analysts see of the recommendations, one ``.sql`` file a view."""

from __future__ import annotations

from daybreak.warehouse.reports.view import views_of

VIEWS = views_of(
    __name__,
    "recommendation_vintages",
    "recommendation",
    "recommendation_hits",
    described_as={"recommendation": "recommendation_vintages"},
)
