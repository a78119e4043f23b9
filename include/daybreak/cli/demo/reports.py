"""The demo's reports: of its last two weeks and its last day, made by the DAG ``reports``."""

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
    """Backfill the weeks, and ask for the day; those that are there already stay as they are."""
    weeks, day = _periods(days)
    there = {one.period for one in list_reports(runtime=runtime)}
    due = [week for week in weeks if week.name not in there]
    if not due and day.name in there:
        typer.echo(f"{DAG}: {', '.join(map(str, (*weeks, day)))} are reported already.")
        return
    sundays = Days(due[0].last, due[-1].last, days.timezone) if due else None
    conf = None if day.name in there else {"period": day.name}
    demo_runs.run_once(runtime, DAG, sundays, conf)


def show(runtime: Runtime, days: Days, page: str) -> None:
    """What was made, and where to read it."""
    title("Reports (report.period_report)")
    weeks, day = _periods(days)
    periods = [one.name for one in (*weeks, day)]
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


def _periods(days: Days) -> tuple[tuple[Period, Period], Period]:
    """The last two weeks that are over, the earlier one first; and the last day."""
    week = Period.last_week(days.last)
    return (Period.last_week(week.first), week), Period.day(days.last)
