"""### Ingest
Loads the files of the data set that are new, all or nothing each, and closes the business days
that are complete by then. A nightly run waits for its day to be closed.

The same file is never loaded twice, so this may run as often as one likes. A correction of a past
day is a new row with a later knowledge time. Rejected rows stand in `raw.quarantine` with the
reason. Runbook: docs/runbook.md.
"""

from __future__ import annotations

from datetime import timedelta

from airflow.sdk import Asset, CronDataIntervalTimetable, dag, task

from common import ASSETS, DEFAULTS, SETTINGS, START, by_the_clock

FACTS = Asset(
    "raw_facts",
    uri="daybreak://warehouse/raw",
    group=ASSETS,
    extra={"schema": "raw", "holds": "facts and plans", "seen in": "report.freshness"},
)


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
    """Load what is new and close the days that are complete."""

    @task(outlets=[FACTS], do_xcom_push=False)
    def load_new_files(outlet_events=None):
        """Load every new file of the data set, wholly or not at all."""
        from daybreak.jobs import ingest

        outlet_events[FACTS].extra = ingest.load_new_files()

    load_new_files()


ingest()
