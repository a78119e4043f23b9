"""### Ingest
Loads the files of the data set that are new, all or nothing each, and closes the business days
that are complete by then. A nightly run waits for its day to be closed.

The same file is loaded only once, so this may run at any time. A correction of a past day is a new
row with a later knowledge time. Rejected rows are in `raw.quarantine` with the reason. Runbook:
docs/runbook.md.
"""

from __future__ import annotations

from datetime import timedelta

from airflow.sdk import CronDataIntervalTimetable, dag, task

from assets import FACTS
from common import DEFAULTS, SETTINGS, START, by_the_clock


@dag(
    dag_id="ingest",
    description="Loads new files of the data set and closes the business days that are complete.",
    schedule=by_the_clock(CronDataIntervalTimetable("*/15 * * * *", timezone=SETTINGS.timezone)),
    start_date=START,
    catchup=False,
    max_active_runs=1,
    default_args=DEFAULTS | {"execution_timeout": timedelta(hours=2)},
    doc_md=__doc__,
    tags=["daybreak", "data"],
)
def ingest():
    """Load what is new and close the days that are complete; say so where something landed."""

    @task
    def load_new_files():
        """Load every new file of the data set, wholly or not at all."""
        from daybreak.jobs import ingest

        return ingest.load_new_files()

    @task(outlets=[FACTS], do_xcom_push=False)
    def announce(loaded, outlet_events=None):
        """Start what is scheduled on the data; skipped where nothing landed."""
        from airflow.sdk.exceptions import AirflowSkipException

        if not loaded["rows"] and not loaded["days_closed"]:
            raise AirflowSkipException("Nothing landed.")
        outlet_events[FACTS].extra = loaded

    announce(load_new_files())


ingest()
