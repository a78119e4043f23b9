"""``daybreak demo``: the main job on one machine, from files to a proven answer."""

from __future__ import annotations

import os
import time
from datetime import date, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from daybreak.platform.airflow_api import Days
    from daybreak.runtime import Runtime

app = typer.Typer()

DAGS = {"sales_forecast": "daily_forecast", "recommendations": "daily_recommendations"}
"""Model to the DAG that scores it."""

DAYS = 14
BEGUN = time.monotonic()


@app.command()
def demo(
    data: Annotated[
        str | None,
        typer.Option(help="The Online Retail file; default: the synthetic shop."),
    ] = None,
) -> None:
    """Score two weeks of business days through Airflow, and show what came out. Ends in minutes.

    Forecasts and recommendations: nightly for every series and user, live for one at a time.
    Fraud: payments of one day as they come, each decision proven by the night. Prices: proposed
    by the last night, on its forecast. Reports: of the last two whole weeks and the last day.

    Everything is left running; `daybreak down` stops it.
    """
    from daybreak.cli.demo import fraud as demo_fraud
    from daybreak.cli.demo import prices as demo_prices
    from daybreak.cli.demo import report as demo_report
    from daybreak.cli.demo import reports as demo_reports
    from daybreak.cli.demo import runs as demo_runs
    from daybreak.cli.demo.ask import open_service
    from daybreak.runtime import Runtime
    from daybreak.settings import load_settings

    _choose(data)
    settings = load_settings()
    runtime = Runtime(settings)
    _step(1, f"Start PostgreSQL, Airflow and the prediction service ({settings.dataset})")
    _up(runtime)
    _step(2, "Ingest: load what is new, close the days that are complete")
    days = _ingest(runtime)
    before, eve = (day - timedelta(days=1) for day in (days.first, days.last))
    left_out = demo_fraud.left_out(runtime, days.last)
    too = "" if left_out else f", fraud as of {eve}"
    _step(3, f"Train as of {before}{too}: the days to score stay unseen")
    for model in DAGS:
        demo_runs.train(runtime, model, before)
    if left_out is None:
        demo_runs.train(runtime, demo_fraud.MODEL, eve)
    service = open_service(runtime)
    _step(4, f"Decide about payments of {days.last} over HTTP as they come")
    decided = None
    if left_out is None:
        decided = demo_fraud.decide(runtime, service, days.last)
    else:
        typer.echo(f"{demo_fraud.MODEL} is left out: {left_out}.")
    proof = f", and the night of {days.last} for these" if decided else ""
    _step(5, f"Backfill {days.first} to {days.last} through Airflow's scheduler{proof}")
    late = {demo_fraud.MODEL: demo_fraud.DAG} if decided else {}
    demo_runs.backfill(runtime, DAGS, days, late)
    unpriced = demo_prices.left_out(runtime)
    if unpriced is None:
        # Its versions stand on published forecasts, so it could not be trained before.
        demo_runs.train(runtime, demo_prices.MODEL, eve)
        demo_runs.backfill(runtime, {}, days, {demo_prices.MODEL: demo_prices.DAG})
    else:
        typer.echo(f"{demo_prices.MODEL} is left out: {unpriced}.")
    demo_reports.make(runtime, days)
    _step(6, "What came out")
    demo_report.show(runtime, days, service, decided, priced=unpriced is None)
    typer.echo(f"\nDone in {time.monotonic() - BEGUN:.0f} s. `make down` stops everything.")


def _choose(data: str | None) -> None:
    """Put the demo's choices into the environment, where Airflow's tasks find them too."""
    from daybreak.errors import DatasetError
    from daybreak.platform import recall

    recall.forget_environment()
    if data:
        path = Path(data).expanduser()
        if "://" not in data and not path.exists():
            raise DatasetError(
                f"There is no file {data}.",
                remedy="Give the path of the Online Retail file: make demo DATA=<path>.",
                path=data,
            )
        os.environ["DAYBREAK_DATASET"] = "online_retail"
        os.environ["DAYBREAK_DATASET_PATH"] = data if "://" in data else str(path.absolute())
    else:
        os.environ["DAYBREAK_DATASET"] = "synthetic"
    # The data end in the past: a scheduled run would wait for a day that never comes.
    os.environ["DAYBREAK_SCHEDULE"] = "False"


def _up(runtime: Runtime) -> None:
    from daybreak.cli.progress import Board
    from daybreak.platform import up as launcher

    with Board("") as board:
        launcher.up(runtime.settings, listen=board.note)


def _ingest(runtime: Runtime) -> Days:
    """Load the data set; returns the last business days, which the demo scores."""
    from daybreak.cli.progress import Board
    from daybreak.errors import NoData
    from daybreak.jobs.ingest import load_new_files
    from daybreak.platform.airflow_api import Days

    with Board("", pause=10) as board:
        loaded = load_new_files(lambda message: board.note(*_split(message)), runtime=runtime)
    typer.echo(
        f"{loaded['rows']:,} rows from {loaded['files']} new file(s), "
        f"{loaded['quarantined']:,} in quarantine; days are closed through "
        f"{loaded['business_date']}."
    )
    if loaded["business_date"] is None:
        raise NoData(
            "The data set closes no business day.",
            remedy="`daybreak data check` shows what it would load.",
        )
    last = date.fromisoformat(loaded["business_date"])
    return Days(last - timedelta(days=DAYS - 1), last, runtime.settings.timezone)


def _split(message: str) -> tuple[str, str]:
    """``where: what`` of the loader's messages."""
    where, _, what = message.rpartition(": ")
    return where or "data set", what


def _step(number: int, title: str) -> None:
    seconds = time.monotonic() - BEGUN
    typer.secho(f"\n[{number}/6] {title}  ({seconds // 60:.0f}:{seconds % 60:02.0f})", bold=True)
