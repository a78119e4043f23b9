"""### Daily sales forecast
Scores one business date and publishes it atomically: readers see the whole day or none of it.
The run for day D starts on the day after and forecasts the 28 days that follow D.

Any day can be run again, by clearing it, by hand or by a backfill. A run uses only what was known
when the day's first run was due, so it gives the same numbers (`knowledge: latest` takes in the
corrections since then). Runbook: docs/runbook.md. Times and metrics: docs/sla.md.
"""

from __future__ import annotations

from airflow.sdk import dag

from common import nightly
from steps import score_a_day

MODEL = "sales_forecast"


@dag(
    dag_id="daily_forecast",
    description="Forecasts the sales of the next 28 days for every series, published at once.",
    **nightly(MODEL, __doc__),
)
def daily_forecast():
    """The nightly steps, for every series."""
    score_a_day(MODEL)


daily_forecast()
