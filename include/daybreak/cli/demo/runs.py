"""What the demo runs: the training of each model, and its DAG over the demo's days."""

from __future__ import annotations

import json
import shlex
import time
from collections.abc import Mapping
from datetime import date, timedelta
from types import MappingProxyType
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
from daybreak.platform.airflow_api import LOOK_SECONDS, PATIENT, UNFINISHED, AirflowApi, Days
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
UNPROVEN = text(
    """
    SELECT count(*) > coalesce(
        (
            SELECT max(decisions)
            FROM ops.proof
            WHERE model = :model AND business_date = :day AND differing = 0 AND wrong_tiles = 0
        ),
        0
    )
    FROM ops.decision
    WHERE model = :model AND business_date = :day
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
    return [feature["name"] for feature in manifest.get("features", ())] == [
        *get_model(model).features_of(manifest)
    ]


def backfill(
    runtime: Runtime,
    dags: Mapping[str, str],
    days: Days,
    late: Mapping[str, str] = MappingProxyType({}),
) -> None:
    """Run the DAG of every model for every day through Airflow's scheduler, and wait for the end.

    A model all of whose days are out is left as it is: the same version would publish the same
    numbers. ``dags``: model -> DAG. ``late``: the same of models whose events of the last day came
    only now, so that its run has to look at what is known now; a backfill sees what the day's first
    run would have seen. Raises ``PlatformError`` where a run fails.
    """
    due = [dag for model, dag in dags.items() if not _are_out(runtime, model, dag, days)]
    day = Days(days.last, days.last, days.timezone)
    late_due = [dag for model, dag in late.items() if not _is_proven(runtime, model, dag, day)]
    if not due and not late_due:
        return
    api, url, folder = _airflow(runtime)
    started = {dag: _start(api, dag, _late(days.last)) for dag in late_due}
    for dag in due:
        _start_backfill(api, dag, days)
    with Board("", pause=10) as board:
        for dag in due:
            _expect_success(_wait(api, dag, days, board), dag, f"{url}/dags/{dag}", folder)
        for dag, run_id in started.items():
            run = _wait_for_one(api, dag, run_id, board)
            _expect_success([run], dag, f"{url}/dags/{dag}", folder)


def run_once(runtime: Runtime, dag: str, days: Days | None, conf: Mapping[str, Any] | None) -> None:
    """Backfill a DAG over ``days``, start a run of it with ``conf``, and wait for the end of what
    was given. Raises ``PlatformError`` where a run fails."""
    api, url, folder = _airflow(runtime)
    run_id = _start(api, dag, conf) if conf is not None else None
    if days is not None:
        _start_backfill(api, dag, days)
    with Board("", pause=10) as board:
        ended = _wait(api, dag, days, board) if days is not None else []
        if run_id is not None:
            ended.append(_wait_for_one(api, dag, run_id, board))
    _expect_success(ended, dag, f"{url}/dags/{dag}", folder)


def _airflow(runtime: Runtime) -> tuple[AirflowApi, str, StateFolder]:
    """Its API, its address and the folder of its logs. Raises ``PlatformError``."""
    folder = StateFolder(runtime.settings.state)
    url = status(runtime.settings)["api-server"].url
    login = airflow_env.login(folder)
    if url is None or login is None:
        raise PlatformError("Airflow is not running.", remedy="Run `daybreak up`.")
    return AirflowApi(url, *login, reads=PATIENT), url, folder


def _start_backfill(api: AirflowApi, dag: str, days: Days) -> None:
    begin, end = days.bounds()
    typer.echo(
        f"  (the same as: daybreak airflow backfill create --dag-id {dag} "
        f"--from-date {begin} --to-date {end} --reprocess-behavior completed)"
    )
    api.unpause(dag)
    api.discard_unsuccessful(dag, days)
    api.backfill(dag, days, AT_ONCE)


def _late(day: date) -> dict[str, str]:
    return {"business_date": day.isoformat(), "knowledge": "latest"}


def _start(api: AirflowApi, dag: str, conf: Mapping[str, Any]) -> str:
    typer.echo(
        f"  (the same as: daybreak airflow dags trigger {dag} "
        f"--conf {shlex.quote(json.dumps(dict(conf)))})"
    )
    api.unpause(dag)
    return api.trigger(dag, conf)


def _are_out(runtime: Runtime, model: str, dag: str, days: Days) -> bool:
    """Whether each of the days is published by the version in force at its cutoff."""
    asked = {"model": model, "first": days.first, "last": days.last}
    with connect(runtime.engine) as conn:
        found = conn.execute(PUBLISHED, asked).all()
        out = [one for one in found if one.version == champion_at(conn, model, one.cutoff)]
    if len(out) <= (days.last - days.first).days:
        return False
    which = f"all {len(out)} days are" if len(out) > 1 else f"{days.last} is"
    typer.echo(f"{dag}: {which} published by the champion already.")
    return True


def _is_proven(runtime: Runtime, model: str, dag: str, day: Days) -> bool:
    """Whether the day is published by the champion, and every decision about it is proven."""
    with connect(runtime.engine) as conn:
        unproven = conn.scalar(UNPROVEN, {"model": model, "day": day.last})
    return not unproven and _are_out(runtime, model, dag, day)


def _wait(api: AirflowApi, dag: str, days: Days, board: Board) -> list[dict[str, Any]]:
    def note(done: int, of: int) -> None:
        board.note(dag, "done" if done == of else f"{done} of {of} days")

    return api.wait(dag, days, BACKFILL_PATIENCE_SECONDS, note)


def _wait_for_one(api: AirflowApi, dag: str, run_id: str, board: Board) -> dict[str, Any]:
    give_up = time.monotonic() + BACKFILL_PATIENCE_SECONDS
    while (run := api.run(dag, run_id))["state"] in UNFINISHED:
        board.note(dag, run["state"])
        if time.monotonic() > give_up:
            raise PlatformError(
                f"The run {run_id} of {dag} is not done after {BACKFILL_PATIENCE_SECONDS:.0f} s.",
                remedy="Look at Airflow's page of the DAG for what it waits for.",
            )
        time.sleep(LOOK_SECONDS)
    board.note(dag, "done")
    return run


def _expect_success(
    runs: list[dict[str, Any]], dag: str, address: str, folder: StateFolder
) -> None:
    failed = [run["dag_run_id"] for run in runs if run["state"] != "success"]
    if failed or not runs:
        raise PlatformError(
            f"{len(failed)} of {len(runs)} runs of {dag} failed: {', '.join(failed)}.",
            remedy=f"See {address} and {folder.logs / 'tasks'}.",
        )
