"""What analysts see of prices, one ``.sql`` file a view."""

from __future__ import annotations

from daybreak.warehouse.reports.view import views_of

VIEWS = views_of(
    __name__,
    "price_proposals",
    "price_approvals",
    "price_night",
    "price_outcome",
    "price_results",
)
