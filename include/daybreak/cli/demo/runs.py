"""What the demo runs: the training of each model, and its DAG over the demo's days."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, timedelta
from typing import Any

import typer
from sqlalchemy import text

from daybreak.cli.progress import Board
from daybreak.clock import scheduled_cutoff
from daybreak.errors import NoChampion, PlatformError
from daybreak.jobs import training
from daybreak.ledger.champions import champion_at
from daybreak.models import get_model
from daybreak.platform import airflow_env
from daybreak.platform.airflow_api import PATIENT, AirflowApi, Days
from daybreak.platform.folder import StateFolder
from daybreak.platform.status import status
from daybreak.runtime import Runtime
from daybreak.warehouse.engine import connect

BACKFILL_PATIENCE_SECONDS = 480.0
AT_ONCE = 2
"""Runs of a DAG at a time: more would only wait for the two cores."""

PUBLISHED = text(
    """
    SELECT version, cutoff
    FROM ops.published JOIN ops.generation USING (generation_id, model, business_date)
    WHERE model = :model AND business_date BETWEEN :first AND :last
    """
)


def train(runtime: Runtime, model: str, as_of: date) -> None:
    """Train and promote, unless a version trained as of that very day is in force already."""
    settings = runtime.settings
    cutoff = scheduled_cutoff(as_of + timedelta(days=1), settings.run_at, settings.timezone)
    with connect(runtime.engine) as conn:
        try:
            champion = champion_at(conn, model, cutoff)
        except NoChampion:
            champion = ""
    if champion.startswith(f"{as_of.isoformat()}-") and _fits(runtime, model, champion):
        typer.echo(f"{model}: {champion} is champion already.")
        return

    def say(message: str) -> None:
        typer.echo(f"{model}: {message}")

    challenger = training.train(model, as_of.isoformat(), say, runtime=runtime)
    training.pass_the_gate(challenger, "demo", say, runtime=runtime)


def _fits(runtime: Runtime, model: str, version: str) -> bool:
    """Whether the version has the features of this code; one of another checkout may not."""
    manifest = runtime.registry.load(model, version).manifest
    return [feature["name"] for feature in manifest["features"]] == [
        *get_model(model).features_of(manifest)
    ]


def backfill(runtime: Runtime, dags: Mapping[str, str], days: Days) -> None:
    """Run the DAG of every model for every day through Airflow's scheduler, and wait for the end.

    A model all of whose days are out is left as it is: the same version would publish the same
    numbers. ``dags``: model -> DAG. Raises ``PlatformError`` where a run fails.
    """
    due = [dag for model, dag in dags.items() if not _are_out(runtime, model, dag, days)]
    if not due:
        return
    folder = StateFolder(runtime.settings.state)
    url = status(runtime.settings)["api-server"].url
    login = airflow_env.login(folder)
    if url is None or login is None:
        raise PlatformError("Airflow is not running.", remedy="Run `daybreak up`.")
    api = AirflowApi(url, *login, reads=PATIENT)
    begin, end = days.bounds()
    for dag in due:
        typer.echo(
            f"  (the same as: daybreak airflow backfill create --dag-id {dag} "
            f"--from-date {begin} --to-date {end} --reprocess-behavior completed)"
        )
        api.unpause(dag)
        api.discard_unsuccessful(dag, days)
        api.backfill(dag, days, AT_ONCE)
    with Board("", pause=10) as board:
        for dag in due:
            _expect_success(_wait(api, dag, days, board), dag, f"{url}/dags/{dag}", folder)


def _are_out(runtime: Runtime, model: str, dag: str, days: Days) -> bool:
    """Whether each of the days is published by the version in force at its cutoff."""
    asked = {"model": model, "first": days.first, "last": days.last}
    with connect(runtime.engine) as conn:
        found = conn.execute(PUBLISHED, asked).all()
        out = [one for one in found if one.version == champion_at(conn, model, one.cutoff)]
    if len(out) <= (days.last - days.first).days:
        return False
    typer.echo(f"{dag}: all {len(out)} days are published by the champion already.")
    return True


def _wait(api: AirflowApi, dag: str, days: Days, board: Board) -> list[dict[str, Any]]:
    def note(done: int, of: int) -> None:
        board.note(dag, "done" if done == of else f"{done} of {of} days")

    return api.wait(dag, days, BACKFILL_PATIENCE_SECONDS, note)


def _expect_success(
    runs: list[dict[str, Any]], dag: str, address: str, folder: StateFolder
) -> None:
    failed = [run["dag_run_id"] for run in runs if run["state"] != "success"]
    if failed or not runs:
        raise PlatformError(
            f"{len(failed)} of {len(runs)} runs of {dag} failed: {', '.join(failed)}.",
            remedy=f"See {address} and {folder.logs / 'tasks'}.",
        )
