"""What analysts see of the sales forecast, one ``.sql`` file a view."""

from __future__ import annotations

from daybreak.warehouse.reports.view import views_of

VIEWS = views_of(
    __name__,
    "forecast_vintages",
    "forecast",
    "forecast_actual",
    "forecast_accuracy",
    described_as={"forecast": "forecast_vintages"},
)
