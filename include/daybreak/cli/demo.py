"""``daybreak demo``: the main job on one machine, from files to a proven answer."""

from __future__ import annotations

import os
import time
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from daybreak.jobs.training import Outcome
    from daybreak.platform.airflow_api import Days
    from daybreak.runtime import Runtime

app = typer.Typer()

MODEL = "sales_forecast"
DAG = "daily_forecast"
DAYS = 7
BACKFILL_PATIENCE_SECONDS = 480.0
AT_ONCE = 2
BEGUN = time.monotonic()


@app.command()
def demo(
    data: Annotated[
        str | None,
        typer.Option(help="The Online Retail file; default: the synthetic shop."),
    ] = None,
) -> None:
    """Forecast seven business days through Airflow, and show what came out. Ends in minutes.

    Everything is left running; `daybreak down` stops it.
    """
    from daybreak.cli import demo_report
    from daybreak.runtime import Runtime
    from daybreak.settings import load_settings

    _choose(data)
    settings = load_settings()
    runtime = Runtime(settings)
    _step(1, f"Start PostgreSQL, Airflow and the prediction service ({settings.dataset})")
    _up(runtime)
    _step(2, "Ingest: load what is new, close the days that are complete")
    days = _ingest(runtime)
    _step(3, f"Train as of {days.first - timedelta(days=1)}: the days to forecast stay unseen")
    _train(runtime, days.first - timedelta(days=1))
    _step(4, f"Backfill {days.first} to {days.last} through Airflow's scheduler")
    _backfill(runtime, days)
    _step(5, "What came out")
    demo_report.show(runtime, days)
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
    # The data end in the past: the clock would start a run that waits for a day that never comes.
    os.environ["DAYBREAK_SCHEDULE"] = "False"


def _up(runtime: Runtime) -> None:
    from daybreak.cli.progress import Board
    from daybreak.platform import up as launcher

    with Board("") as board:
        launcher.up(runtime.settings, listen=board.note)


def _ingest(runtime: Runtime) -> Days:
    """Load the data set; returns the last business days, which the demo is about."""
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


def _train(runtime: Runtime, as_of: date) -> None:
    """Train and promote, unless a version trained as of that very day is in force already."""
    from daybreak.clock import scheduled_cutoff
    from daybreak.errors import NoChampion
    from daybreak.jobs import training
    from daybreak.registry.champions import champion_at
    from daybreak.warehouse.engine import connect

    settings = runtime.settings
    cutoff = scheduled_cutoff(as_of + timedelta(days=1), settings.run_at, settings.timezone)
    with connect(runtime.engine) as conn:
        try:
            champion = champion_at(conn, MODEL, cutoff)
        except NoChampion:
            champion = ""
    if champion.startswith(f"{as_of.isoformat()}-") and _fits(runtime, champion):
        typer.echo(f"{champion} is champion already.")
        return
    challenger = training.train(MODEL, as_of.isoformat(), typer.echo, runtime=runtime)
    outcome = training.pass_the_gate(challenger, "demo", typer.echo, runtime=runtime)
    if not outcome["promoted"] and not champion:
        _promote_anyway(runtime, outcome)


def _promote_anyway(runtime: Runtime, refused: Outcome) -> None:
    """A demo of data on which nothing beats the baselines is still one; the ledger says so."""
    from daybreak.registry.champions import promote
    from daybreak.warehouse.engine import begin

    typer.echo("There is no other version, so the demo goes on with this one.")
    with begin(runtime.engine) as conn:
        promote(
            conn,
            model=MODEL,
            version=refused["version"],
            effective_from=datetime.fromisoformat(refused["cutoff"]),
            reason=f"The demo needs a champion. {refused['reason']}",
            evidence={},
            actor="demo",
            now=runtime.clock(),
        )


def _fits(runtime: Runtime, version: str) -> bool:
    """Whether the version takes the features of this code; that of another checkout may not."""
    from daybreak.models import get_model

    manifest = runtime.registry.load(MODEL, version).manifest
    return [feature["name"] for feature in manifest["features"]] == [*get_model(MODEL).features()]


def _backfill(runtime: Runtime, days: Days) -> None:
    from daybreak.cli.progress import Board
    from daybreak.errors import PlatformError
    from daybreak.platform import airflow_env
    from daybreak.platform.airflow_api import AirflowApi
    from daybreak.platform.folder import StateFolder
    from daybreak.platform.status import status

    folder = StateFolder(runtime.settings.state)
    url = status(runtime.settings)["api-server"].url
    login = airflow_env.login(folder)
    if url is None or login is None:
        raise PlatformError("Airflow is not running.", remedy="Run `daybreak up`.")
    begin, end = days.bounds()
    typer.echo(
        f"  (the same as: daybreak airflow backfill create --dag-id {DAG} --from-date {begin} "
        f"--to-date {end} --reprocess-behavior completed)"
    )
    api = AirflowApi(url, *login)
    api.unpause(DAG)
    api.discard_unsuccessful(DAG, days)
    api.backfill(DAG, days, AT_ONCE)
    with Board("", pause=10) as board:
        runs = api.wait(
            DAG,
            days,
            BACKFILL_PATIENCE_SECONDS,
            lambda done, of: board.note(DAG, "done" if done == of else f"{done} of {of} days"),
        )
    failed = [run for run in runs if run["state"] != "success"]
    if failed or len(runs) != DAYS:
        raise PlatformError(
            f"{len(failed)} of {len(runs)} runs failed: "
            + ", ".join(run["dag_run_id"] for run in failed),
            remedy=f"See {url}/dags/{DAG} and {folder.logs / 'tasks'}.",
        )


def _split(message: str) -> tuple[str, str]:
    """``where: what`` of the loader's messages."""
    where, _, what = message.rpartition(": ")
    return where or "data set", what


def _step(number: int, title: str) -> None:
    seconds = time.monotonic() - BEGUN
    typer.secho(f"\n[{number}/5] {title}  ({seconds // 60:.0f}:{seconds % 60:02.0f})", bold=True)
