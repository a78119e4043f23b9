"""### Daily prices
Proposes the prices from day D + 1 on, once the forecast of business date D is published: under the
rules of the data set (its section `pricing`), by what its items' own price changes did to demand.

What is within the budget of the rules is published by itself. Beyond it the task *agree* waits for
a person, who sees the sums and the largest moves under *Required Actions*: approve, approve a part,
or keep what is published. Nobody in time: the old prices stay. The answer is kept with the name and
the reason (`report.price_approvals`); a day that is scored again with the same proposals has the
same answer. docs/pricing-model.md, docs/runbook.md.
"""

from __future__ import annotations

from airflow.sdk import dag

from common import CARRIED, nightly
from steps import score_a_day

MODEL = "pricing"


@dag(**nightly(MODEL, __doc__))
def daily_prices():
    """The nightly steps, and an agreement before publication."""
    score_a_day(MODEL)


if MODEL in CARRIED:
    daily_prices()
