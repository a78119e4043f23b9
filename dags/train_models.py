"""### Train, weekly
Trains a challenger of every model as of the last closed business day, measures it against the
champion and the baselines, and makes it champion where it passes the gate. The champion ledger
(`report.model_history`) keeps the reason either way it goes; a refusal is no failure.

The new champion is in force from the knowledge cutoff of its training day on, so a replay of an
earlier day still gets the champion of that day. Runbook: docs/runbook.md.
"""

from __future__ import annotations

from datetime import timedelta

from airflow.sdk import Asset, CronTriggerTimetable, dag, task

from house import BUSINESS_DATE, DEFAULTS, SETTINGS, START, this_business_date

CHAMPIONS = Asset("champions", uri="daybreak://warehouse/ops/champion")


@dag(
    dag_id="train_models",
    # The interval of a day makes the logical date Saturday: the last business date before it.
    schedule=CronTriggerTimetable(
        "0 8 * * SUN", timezone=SETTINGS.timezone, interval=timedelta(days=1)
    ),
    start_date=START,
    catchup=False,
    max_active_runs=1,
    default_args=DEFAULTS | {"execution_timeout": timedelta(hours=6), "retries": 1},
    params={"business_date": BUSINESS_DATE},
    doc_md=__doc__,
    tags=["daybreak", "training"],
)
def train_models():
    """Train each model, hold it against its champion, promote the better one, tidy up."""

    @task
    def list_models():
        """Every model that the platform carries."""
        from daybreak.models import model_names

        return list(model_names())

    @task(  # mapped: a docstring would not be shown
        doc_md="Learn from the facts up to the business date and register the version.",
        max_active_tis_per_dag=1,
        map_index_template="{{ model }}",
    )
    def train(model):
        from daybreak.jobs import training

        return training.train(model, this_business_date().isoformat())

    @task(
        doc_md="Make the challenger champion where it beats champion and baselines.",
        max_active_tis_per_dag=1,
        outlets=[CHAMPIONS],
    )
    def pass_the_gate(challenger, outlet_events=None):
        from daybreak.jobs import training

        outcome = outlet_events[CHAMPIONS].extra = training.pass_the_gate(challenger)
        return outcome

    @task
    def sweep():
        """Delete the invisible rows of generations that were never published."""
        from daybreak.jobs import publishing

        return publishing.sweep()

    pass_the_gate.expand(challenger=train.expand(model=list_models())) >> sweep()


train_models()
