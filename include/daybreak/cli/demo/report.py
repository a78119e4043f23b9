"""What the demo shows at its end: the runs, what each model published, and answers over HTTP."""

from __future__ import annotations

from typing import Any

import typer

from daybreak.cli.demo import forecast as demo_forecast
from daybreak.cli.demo import fraud as demo_fraud
from daybreak.cli.demo import gate as demo_gate
from daybreak.cli.demo import lists as demo_lists
from daybreak.cli.demo import prices as demo_prices
from daybreak.cli.demo import reports as demo_reports
from daybreak.cli.demo.ask import Service
from daybreak.cli.demo.payments import Decided
from daybreak.cli.demo.words import title
from daybreak.cli.runs import print_sla
from daybreak.jobs.report import sla_rows
from daybreak.platform import airflow_env
from daybreak.platform.airflow_api import Days
from daybreak.platform.folder import StateFolder
from daybreak.platform.status import status
from daybreak.runtime import Runtime
from daybreak.warehouse.engine import connect


def show(
    runtime: Runtime, days: Days, service: Service, decided: Decided | None, *, priced: bool
) -> None:
    """Print everything. Raises ``PlatformError`` where an answer differs from the table.

    ``decided``: payments that were decided about; None where fraud is left out. ``priced``:
    whether prices were proposed.
    """
    models = [demo_forecast.MODEL, demo_lists.MODEL]
    if decided is not None:
        models.append(demo_fraud.MODEL)
    if priced:
        models.append(demo_prices.MODEL)
    title("Runs, and whether they were in time (a backfill never counts, nor a day long past)")
    for model in models:
        print_sla(_newest_by_day(sla_rows(model, 100, runtime), days))
    with connect(runtime.engine) as conn:
        demo_forecast.show(conn, days, service)
        demo_lists.show(conn, days, service)
        if decided is not None:
            demo_fraud.show(conn, days, service, decided)
        if priced:
            demo_prices.show(conn, days, service)
        demo_gate.show(conn, models, days)
    demo_reports.show(runtime, days, f"{status(runtime.settings)['serving'].url}/ui")
    _show_doors(runtime, service.token)


def _newest_by_day(rows: list[dict[str, Any]], days: Days) -> list[dict[str, Any]]:
    by_day: dict[str, dict[str, Any]] = {}
    for row in rows:
        if days.first.isoformat() <= row["business_date"] <= days.last.isoformat():
            known = by_day.setdefault(row["business_date"], row)
            if row["recorded_at"] > known["recorded_at"]:
                by_day[row["business_date"]] = row
    return [by_day[day] for day in sorted(by_day)]


def _show_doors(runtime: Runtime, token: str) -> None:
    title("Where to look")
    found = status(runtime.settings)
    login = airflow_env.login(StateFolder(runtime.settings.state)) or ("", "")
    typer.echo(f"Airflow     {found['api-server'].url}  (user {login[0]}, password {login[1]})")
    typer.echo(f"Predictions {found['serving'].url}/v1/models")
    typer.echo(f"Page        {found['serving'].url}/ui  (log in with the key {token})")
    typer.echo(f"Warehouse   {runtime.settings.warehouse_dsn.replace('+psycopg', '')}")
    typer.echo("Status      daybreak status   (in .venv/bin)")
