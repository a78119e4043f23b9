"""### Maintenance, weekly
Deletes what nothing needs any more: scores of generations that were superseded or rolled back
long ago, snapshots and model versions that no published day needs, old task logs, and Airflow's own
old runs. What is published stays, and whatever a rollback returns to.

How long things are kept: docs/settings.md. What would go now: `daybreak warehouse prune --dry-run`.
Runbook: docs/runbook.md.
"""

from __future__ import annotations

from datetime import timedelta

from airflow.sdk import CronTriggerTimetable, dag, task

from common import DEFAULTS, SETTINGS, START, by_the_clock


@dag(
    dag_id="maintenance",
    description="Deletes old scores, snapshots, versions, logs and runs that nothing needs.",
    # After the training of the same day, and long before the night.
    schedule=by_the_clock(CronTriggerTimetable("0 15 * * SUN", timezone=SETTINGS.timezone)),
    start_date=START,
    catchup=False,
    max_active_runs=1,
    default_args=DEFAULTS | {"execution_timeout": timedelta(hours=2)},
    doc_md=__doc__,
    tags=["daybreak", "maintenance"],
)
def maintenance():
    """Three tasks that need nothing of one another."""

    @task(do_xcom_push=False)
    def prune():
        """Take scores, snapshots and versions past their time; readers notice nothing."""
        from daybreak.jobs import maintenance

        maintenance.prune()

    @task(do_xcom_push=False)
    def remove_task_logs():
        """Remove the log files of tasks that ended long ago."""
        from daybreak.jobs import maintenance

        maintenance.remove_task_logs()

    @task(do_xcom_push=False)
    def clean_airflow():
        """Delete old runs, tasks and XComs from Airflow's database."""
        from daybreak.jobs import maintenance

        maintenance.clean_airflow()

    prune()
    remove_task_logs()
    clean_airflow()


maintenance()
