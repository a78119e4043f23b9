"""### Train, weekly
Trains a challenger of every model as of the last closed business day, measures it against the
champion and the baselines, and makes it champion where it passes the gate. The champion ledger
(`report.model_history`) keeps the reason either way; a refusal is not a failure.

Models are independent: one that does not learn is left out, one without any data is skipped, and
one that fails does not stop the others. With `DAYBREAK_TRAIN_ON_DRIFT` an alarm of drift trains its
model, too. Where nothing is in force yet and the gate refuses the
version, or there is too little to learn from, the model's best baseline becomes champion.

The new champion is in force from the knowledge cutoff of its training day on, so a replay of an
earlier day still gets the champion of that day. Runbook: docs/runbook.md.
"""

from __future__ import annotations

from datetime import timedelta

from airflow.providers.standard.operators.empty import EmptyOperator
from airflow.sdk import AssetOrTimeSchedule, CronTriggerTimetable, dag, task, task_group

from assets import CHAMPIONS, DRIFTED
from common import (
    BUSINESS_DATE,
    DEFAULTS,
    SETTINGS,
    START,
    by_the_clock,
    these_events,
    this_business_date,
)
from daybreak.errors import NoData


def weekly_or_on_drift():
    """Sundays, and where DAYBREAK_TRAIN_ON_DRIFT says so, an alarm of drift."""
    # The interval of a day makes the logical date Saturday: the last business date before it.
    weekly = by_the_clock(
        CronTriggerTimetable("0 8 * * SUN", timezone=SETTINGS.timezone, interval=timedelta(days=1))
    )
    if not SETTINGS.train_on_drift:
        return weekly
    return AssetOrTimeSchedule(timetable=weekly, assets=[DRIFTED]) if weekly else [DRIFTED]


@dag(
    dag_id="train_models",
    description="Trains a challenger of every model; the better one becomes champion.",
    schedule=weekly_or_on_drift(),
    start_date=START,
    catchup=False,
    max_active_runs=1,
    default_args=DEFAULTS | {"execution_timeout": timedelta(hours=6), "retries": 1},
    params={"business_date": BUSINESS_DATE},
    doc_md=__doc__,
    tags=["daybreak", "training"],
)
def train_models():
    """Train each model, compare it with its champion, promote the better one, clean up."""

    @task
    def list_models():
        """Every model that learns and that the data set can carry; after alarms, those alone that
        training is an answer to."""
        from daybreak.jobs import training

        return training.models_to_train(these_events())

    @task_group(prefix_group_id=False)
    def train_one(model):
        """One model; where it fails, the others still reach their gate."""

        @task(max_active_tis_per_dag=1, map_index_template="{{ task.op_kwargs['model'] }}")
        def train(model):
            """Learn from the facts up to the business date; skipped where there are none."""
            from airflow.sdk.exceptions import AirflowSkipException

            from daybreak.jobs import training

            try:
                return training.train(model, this_business_date().isoformat())
            except NoData as error:  # the data set may be without the section that it learns from
                raise AirflowSkipException(str(error)) from error

        @task(
            max_active_tis_per_dag=1,
            map_index_template="{{ task.op_kwargs['challenger']['model'] }}",
            outlets=[CHAMPIONS],
            do_xcom_push=False,
        )
        def pass_the_gate(challenger, outlet_events=None):
            """Make the challenger champion where it beats champion and baselines."""
            from daybreak.jobs import training

            outlet_events[CHAMPIONS].extra = training.pass_the_gate(challenger)

        pass_the_gate(challenger=train(model=model))

    # Invisible rows go, whether models failed or not.
    @task(trigger_rule="all_done", do_xcom_push=False)
    def sweep():
        """Delete the invisible rows of generations that were never published."""
        from daybreak.jobs import publishing

        return publishing.sweep()

    # With `sweep` as its only leaf the run would succeed whatever failed before.
    no_model_failed = EmptyOperator(
        task_id="no_model_failed",
        trigger_rule="none_failed",
        do_xcom_push=False,
        doc_md="Fails the run where a model failed.",
    )

    train_one.expand(model=list_models()) >> [sweep(), no_model_failed]


train_models()
