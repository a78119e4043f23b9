"""Checks of the running platform against the settings, for ``status`` and ``doctor``.

A platform whose every process is healthy may still score nothing: its DAGs do not parse or are
paused, the clock is off, a service answers for another data set, a deadline cannot be met.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from sqlalchemy.exc import SQLAlchemyError

from daybreak.errors import DaybreakError, PlatformError
from daybreak.jobs.versions import published_versions
from daybreak.models import model_names
from daybreak.models.offered import absent
from daybreak.platform import airflow_env, components, processes
from daybreak.platform.airflow_api import AirflowApi
from daybreak.platform.findings import Finding
from daybreak.platform.folder import StateFolder
from daybreak.platform.health import unhealthy
from daybreak.platform.status import embedded_server
from daybreak.settings import Settings
from daybreak.warehouse.engine import connect, make_engine


def operation(settings: Settings) -> list[Finding]:
    """All checks of the running platform and its schedule."""
    checks = (datasets, models, clock, deadlines, dags, gates, bases)
    return [finding for check in checks for finding in check(settings)]


def datasets(settings: Settings) -> Iterator[Finding]:
    """Whether components were started for the data set of these settings."""
    names: dict[str, list[str]] = {}
    for record in of_other_data_sets(settings):
        names.setdefault(record.dataset, []).append(record.name)
    for dataset, components_of in names.items():
        verb = "answers" if len(components_of) == 1 else "answer"
        yield Finding(
            "data set",
            False,
            f"{', '.join(components_of)} {verb} for {dataset}, these settings are about "
            f"{settings.dataset}",
            "Run `daybreak up`, which restarts what runs, or set DAYBREAK_DATASET to the other "
            "one.",
        )


def of_other_data_sets(settings: Settings) -> list[processes.Record]:
    """Components that run for another data set than that of these settings."""
    folder = StateFolder(settings.state)
    wanted = settings.anchored().dataset
    running = [processes.find(folder, name) for name in (*components.AIRFLOW, components.SERVING)]
    return [one for one in running if one and one.dataset not in {"", wanted}]


def models(settings: Settings) -> Iterator[Finding]:
    """Models that the data set cannot carry, which is not a fault."""
    try:
        found = absent(settings.dataset)
    except DaybreakError as error:
        yield Finding("model", False, error.message, error.remedy)
        return
    for model, reason in found.items():
        yield Finding(
            "model",
            True,
            f"{model} is absent: {reason}, which {settings.dataset} lacks",
            "Add the section to the data set's file (docs/data-contract.md) if you want it.",
        )


def clock(settings: Settings) -> Iterator[Finding]:
    """Whether the clock starts runs."""
    if not settings.schedule:
        yield Finding(
            "clock",
            True,
            "off: only people and backfills start runs",
            "`daybreak up --schedule` turns it on.",
        )


def deadlines(settings: Settings) -> Iterator[Finding]:
    """Whether a run that starts in time can be in time, and options are those of models."""
    known = model_names()
    for name, given in (
        ("DAYBREAK_DUE_BY_MODEL", settings.due_by_model),
        ("DAYBREAK_SCHEDULE_BY_MODEL", settings.schedule_by_model),
        ("DAYBREAK_MODEL_OPTIONS", settings.model_options),
    ):
        if unknown := sorted(given.keys() - set(known)):
            yield Finding(
                "settings",
                False,
                f"{name} is about {', '.join(unknown)}, which is not a model",
                f"The models are: {', '.join(known)}.",
            )
    for model in known:
        due = settings.due_for(model)
        if due <= settings.run_at:
            yield Finding(
                "deadline",
                False,
                f"{model} is due at {due:%H:%M} and its run starts at {settings.run_at:%H:%M} of "
                "the same day: every night will be missed",
                "Set DAYBREAK_DUE (or DAYBREAK_DUE_BY_MODEL) to a later time, or DAYBREAK_RUN_AT "
                "to an earlier one.",
            )


def dags(settings: Settings) -> Iterator[Finding]:
    """DAG files that do not parse, and paused DAGs; nothing while Airflow is down."""
    folder = StateFolder(settings.state)
    record, login = processes.find(folder, components.API_SERVER), airflow_env.login(folder)
    if record is None or unhealthy(record):
        return
    try:
        if login is None:
            raise PlatformError("there is no generated password")
        airflow = AirflowApi(record.url, *login)
        broken, paused = airflow.import_errors(), airflow.paused()
    except PlatformError as error:
        yield Finding(
            "dags",
            True,
            f"not known: {error.message}",
            "See `daybreak airflow dags list-import-errors` and `daybreak airflow dags list`.",
        )
        return
    for file, fault in broken.items():
        yield Finding(
            "dags",
            False,
            f"{file} does not parse: {fault}",
            "Correct the file; `daybreak airflow dags list-import-errors` shows the whole error.",
        )
    if paused:
        yield Finding(
            "dags",
            True,
            f"paused: {', '.join(paused)}",
            f"`daybreak airflow dags unpause {paused[0]}` lets one run.",
        )


def gates(settings: Settings) -> Iterator[Finding]:
    """Published versions that their gate refused."""
    for row in published(settings):
        if row["gate"] == "refused":
            yield Finding(
                "gate",
                True,
                f"{row['model']} is published by {row['version']}, which its gate refused",
                f"`daybreak models list {row['model']}` says what else there is.",
            )


def bases(settings: Settings) -> Iterator[Finding]:
    """Published scores that were made from scores that were rolled back since."""
    for row in published(settings):
        if row["basis"] == "rolled_back":
            yield Finding(
                "basis",
                True,
                f"what is published of {row['model']} for {row['newest']} was made from scores "
                "that were rolled back",
                f"`daybreak score {row['model']} --business-date {row['newest']}`, once others "
                "are published; report.basis says which they are.",
            )


def published(settings: Settings) -> list[dict[str, Any]]:
    """What is published newest of each model; empty where the warehouse cannot be asked."""
    if settings.warehouse_url is None and embedded_server(settings).pid() is None:
        return []
    try:
        engine = make_engine(settings.warehouse_dsn)
        try:
            with connect(engine) as conn:
                return published_versions(conn)
        finally:
            engine.dispose()
    except (DaybreakError, SQLAlchemyError):  # not there, or not migrated: `doctor` says so
        return []
