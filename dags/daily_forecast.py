"""### Daily sales forecast
Scores one business date and publishes it atomically: readers see the whole day or none of it.
The run for day D starts on the day after and forecasts the days that follow D.

Any day can be run again, by clearing it, by hand or by a backfill. A run uses only what was known
when the day's first run was due, so it gives the same numbers (`knowledge: latest` takes in the
corrections since then). Runbook: docs/runbook.md. Times and metrics: docs/sla.md.
"""

from __future__ import annotations

from airflow.sdk import dag

from common import CARRIED, nightly
from steps import score_a_day

MODEL = "sales_forecast"


@dag(**nightly(MODEL, __doc__))
def daily_forecast():
    """The nightly steps, for every series."""
    score_a_day(MODEL)


if MODEL in CARRIED:
    daily_forecast()
