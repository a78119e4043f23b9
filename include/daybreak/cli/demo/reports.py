"""The demo's reports: of its last whole week and its last day, made by the DAG ``reports``."""

from __future__ import annotations

import typer

from daybreak.cli.demo import runs as demo_runs
from daybreak.cli.demo.words import title
from daybreak.cli.printing import print_columns
from daybreak.jobs.period_reports import list_reports
from daybreak.period import Period
from daybreak.platform.airflow_api import Days
from daybreak.runtime import Runtime

DAG = "reports"


def make(runtime: Runtime, days: Days) -> None:
    """Backfill the week, and ask for the day; those that are there already stay as they are."""
    week, day = Period.last_week(days.last), Period.day(days.last)
    there = {one.period for one in list_reports(runtime=runtime)}
    wanted = [one for one in (week, day) if one.name not in there]
    if not wanted:
        typer.echo(f"{DAG}: {week} and {day} are reported already.")
        return
    sunday = Days(week.last, week.last, days.timezone)
    conf = {"period": day.name}
    demo_runs.run_once(
        runtime, DAG, sunday if week in wanted else None, conf if day in wanted else None
    )


def show(runtime: Runtime, days: Days, page: str) -> None:
    """What was made, and where to read it."""
    title("Reports (report.period_report)")
    periods = (Period.last_week(days.last).name, days.last.isoformat())
    found = [one for one in list_reports(runtime=runtime) if one.newest and one.period in periods]
    rows = [
        (
            one.model,
            one.period,
            str(one.nights),
            f"{page}/reports/{one.model}/{one.period}/{one.name}",
        )
        for one in found
    ]
    print_columns(("model", "period", "nights", "page"), rows, ("nights",))
