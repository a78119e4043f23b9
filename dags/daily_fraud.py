"""### Daily fraud
Makes every decision of business date D again, from the log and by the batch fold, and compares it
bit for bit; folds what became known into tiles and compares them with the log. Beside that, scores
all events of D by the version in force, publishes them at once, and so lists what to review.

A proof that fails fails the run, and counts as a miss of the day: docs/runbook.md, «The proof
failed». Any day can be run again, by clearing it, by hand or by a backfill. Times and metrics:
docs/sla.md.
"""

from __future__ import annotations

from airflow.sdk import dag

from common import CARRIED, nightly
from steps import score_a_day

MODEL = "fraud"


@dag(**nightly(MODEL, __doc__))
def daily_fraud():
    """The nightly steps, for every event of the day, and the proof of its decisions."""
    score_a_day(MODEL)


if MODEL in CARRIED:
    daily_fraud()
