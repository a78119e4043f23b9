"""### Reports of days and weeks
Makes reports of what each model said, what came true and what it took: on Mondays of the last whole
week, of each model that has published in it and has no report of it yet; and of each day as it is
published (off with `DAYBREAK_REPORT_DAYS`). A report is a page and its tables as Parquet, in the
registry's store and under *Browse → Daybreak → Reports*.

By hand: give *Period* (`2026-07-20`, `2026-W30` or `2026-07`), and *Model* for one alone. The
logical date of a run of the clock is the Sunday that ends the week, so a backfill makes those of
past weeks. A model that fails does not stop the others. What is in a report:
docs/period-reports.md. Runbook: docs/runbook.md.
"""

from __future__ import annotations

from datetime import date, time

from airflow.sdk import AssetAny, AssetOrTimeSchedule, Param, dag, task, task_group

from assets import REPORTS, scores_of
from common import CARRIED, DEFAULTS, SETTINGS, SHOWN, START, errors_shown, show, these_events
from daybreak_timetable import NightlyTimetable
from notices import WANTED

AT = time(9)
SUNDAY = 6
PARAMS = {
    "model": Param(
        None,
        type=["null", "string"],
        enum=[None, *CARRIED],
        title="Model",
        description="Empty: all of them.",
    ),
    "period": Param(
        None,
        type=["null", "string"],
        title="Period",
        description="2026-07-20, 2026-W30 or 2026-07. Empty: the last whole week.",
    ),
}


def weekly_and_daily():
    """Mondays, when the nights of the week are over; and as scores are published."""
    weekly = NightlyTimetable(
        f"{AT.minute} {AT.hour} * * *",
        timezone=SETTINGS.timezone,
        clock=SETTINGS.schedule,
        weekday=SUNDAY,
    )
    if not SETTINGS.report_days:
        return weekly
    return AssetOrTimeSchedule(timetable=weekly, assets=AssetAny(*map(scores_of, CARRIED)))


@dag(
    dag_id="reports",
    description="Reports what models said of a day or week, what came true and what it took.",
    schedule=weekly_and_daily(),
    start_date=START,
    catchup=False,
    max_active_runs=2,
    default_args=DEFAULTS,
    params=PARAMS,
    doc_md=__doc__,
    tags=["daybreak", "reports"],
)
def reports():
    """List what is due, make each, and send notices of it where they are set up."""

    @task
    def list_due(params=None, dag_run=None):
        """Which reports are wanted, or due and not there yet."""
        from daybreak.jobs import period_reports
        from daybreak.jobs.dates import resolve_business_date

        published = [
            (event["model"], date.fromisoformat(event["business_date"])) for event in these_events()
        ]
        day = None
        if not published and not params["period"]:
            day = resolve_business_date(
                logical_date=dag_run.logical_date,
                conf=None,
                run_type=str(dag_run.run_type.value),
                timezone=SETTINGS.timezone,
                run_at=AT,
            )
        return period_reports.due(day, published, model=params["model"], period=params["period"])

    @task_group(prefix_group_id=False)
    def report_one(asked):
        """One report; where it fails, the others are made all the same."""

        @task(
            max_active_tis_per_dag=2,
            map_index_template=SHOWN,
            outlets=[REPORTS],
            do_xcom_push=WANTED,
        )
        def make(asked, dag_run=None, outlet_events=None):
            """Make the report, unless this run has made it already."""
            from airflow.sdk.configuration import conf

            from daybreak.jobs import period_reports

            with errors_shown():
                made = period_reports.make_once(
                    **asked,
                    since=dag_run.start_date,
                    airflow_url=SETTINGS.airflow_url or conf.get("api", "base_url", fallback=None),
                )
            outlet_events[REPORTS].extra = made
            show(f"{made['model']} {made['period']}: {made['page']}")
            return made

        @task(map_index_template=SHOWN, do_xcom_push=False)
        def notify(report):
            """Send notices of the report, by mail or in Slack."""
            from notices import send_notices

            with errors_shown():
                send_notices(report)
            show(f"{report['model']} {report['period']}")

        made = make(asked)
        if WANTED:
            notify(made)

    report_one.expand(asked=list_due())


if CARRIED:
    reports()
