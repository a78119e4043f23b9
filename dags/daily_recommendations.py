"""### Daily recommendations
The best items for every active user, and a default list for unknown users, published
atomically: readers see all lists of a day or none. The run for day D starts on the day after and
looks at what was bought up to D.

Any day can be run again, by clearing it, by hand or by a backfill; it gives the same lists
(`knowledge: latest` takes in the corrections since then). Runbook: docs/runbook.md. Times and
metrics: docs/sla.md.
"""

from __future__ import annotations

from airflow.sdk import dag

from common import CARRIED, nightly
from steps import score_a_day

MODEL = "recommendations"


@dag(**nightly(MODEL, __doc__))
def daily_recommendations():
    """The nightly steps, for every active user."""
    score_a_day(MODEL)


if MODEL in CARRIED:
    daily_recommendations()
