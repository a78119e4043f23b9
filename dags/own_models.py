"""### A nightly run of a model of your own
Made for every installed model that is scored nightly and has no DAG file here, with the steps of
all nightly runs: wait, snapshot, score in shards, audit, publish, record. How to add a model:
docs/own-model.md.

Any day can be run again, and gives the same scores. Runbook: docs/runbook.md.
"""

from __future__ import annotations

from pathlib import Path

from airflow.sdk import dag

from common import CARRIED, nightly
from steps import score_a_day

FILES = {path.stem for path in Path(__file__).parent.glob("*.py")}


def own(model: str) -> None:
    """The nightly DAG of a model."""

    @dag(**nightly(model, __doc__))
    def nightly_run():
        score_a_day(model)

    nightly_run()


for _model, _schedule in CARRIED.items():
    if _schedule.dag_id_of(_model) not in FILES:
        own(_model)
