"""### A nightly run of a model of your own
Made for every installed model that has no DAG file here, by the steps of all nightly runs: wait,
snapshot, score in shards, audit, publish, record. docs/own-model.md says how a model comes in.

Any day can be run again, and gives the same scores. Runbook: docs/runbook.md.
"""

from __future__ import annotations

from airflow.sdk import dag

from common import nightly
from daybreak.models import model_names
from steps import score_a_day

WITH_A_FILE_OF_THEIR_OWN = frozenset({"sales_forecast", "recommendations"})


def daily(model: str) -> None:
    """The DAG ``daily_<model>``."""

    @dag(
        dag_id=f"daily_{model}",
        description=f"Scores one business date of {model} and publishes it at once.",
        **nightly(model, __doc__),
    )
    def nightly_run():
        score_a_day(model)

    nightly_run()


for _model in model_names():
    if _model not in WITH_A_FILE_OF_THEIR_OWN:
        daily(_model)
