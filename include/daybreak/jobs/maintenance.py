"""Delete what nothing needs any more: scores, snapshots, versions, logs, Airflow's metadata.

Each step can be run again, and goes on where a killed one stopped.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterable
from contextlib import suppress
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from daybreak.errors import PlatformError
from daybreak.jobs.publishing import ABANDONED_AFTER, sweep
from daybreak.ledger import retention
from daybreak.ledger.generations import abandoned
from daybreak.ledger.retention import Windows
from daybreak.models import model_names, nightly_models
from daybreak.registry.retention import expired_versions, prune_versions
from daybreak.reporting.kept import expired as expired_reports
from daybreak.reporting.kept import prune as prune_reports
from daybreak.runtime import Runtime, get_runtime
from daybreak.settings import Settings
from daybreak.signals.retention import expired_days, prune_days
from daybreak.warehouse.engine import connect


def prunable(runtime: Runtime | None = None) -> dict[str, Any]:
    """What ``prune`` would take now: lists of ``generations``, ``snapshots``, ``versions``,
    ``days_of_events`` and ``reports``."""
    runtime = runtime or get_runtime()
    windows = _windows(runtime)
    with connect(runtime.engine) as conn:
        scores = retention.expired_generations(conn, model_names(), windows)
        left = abandoned(conn, model_names(), windows.now, ABANDONED_AFTER)  # swept first
        gone = [*(one.id for one in scores), *(one.generation_id for one in left)]
        features = retention.expired_snapshots(conn, model_names(), windows, gone)
        versions = expired_versions(conn, _versions_before(runtime), gone)
        days = expired_days(conn, _kept_events(runtime))
        reports = [folder for _, folder, _ in expired_reports(conn, _reports_before(runtime))]
    return {
        "generations": retention.as_json(scores),
        "snapshots": retention.as_json(features),
        "versions": _named(versions),
        "days_of_events": [day.isoformat() for day in days],
        "reports": reports,
    }


def prune(runtime: Runtime | None = None) -> dict[str, Any]:
    """Sweep, then take scores, snapshots, versions, events and reports past their time; returns
    what went."""
    runtime = runtime or get_runtime()
    windows = _windows(runtime)
    models = nightly_models()
    scores = {model.name: model.night.score_table for model in models}
    features = {model.name: model.night.snapshot_table for model in models}
    swept = sweep(runtime)["rows"]
    gone: dict[str, list[Any]] = {
        "generations": retention.as_json(
            retention.prune_generations(runtime.engine, scores, windows)
        ),
        "snapshots": retention.as_json(
            retention.prune_snapshots(runtime.engine, features, windows)
        ),
        "versions": _named(prune_versions(runtime.registry, _versions_before(runtime))),
        "days_of_events": [
            day.isoformat() for day in prune_days(runtime.engine, _kept_events(runtime))
        ],
        "reports": prune_reports(runtime.registry, _reports_before(runtime)),
    }
    for name, listed in gone.items():
        runtime.metrics.incr(f"prune.{name}", len(listed))
    return {"swept_rows": swept, **gone}


def remove_task_logs(runtime: Runtime | None = None) -> dict[str, int]:
    """Remove Airflow's task logs past their time, and the folders that they leave empty."""
    runtime = runtime or get_runtime()
    folder = task_logs(runtime.settings)
    before = _before(runtime, runtime.settings.keep_logs_days).timestamp()
    removed = 0
    for path, folders, names in os.walk(folder, topdown=False):
        for name in names:
            with suppress(FileNotFoundError):  # another process cleans up too
                file = Path(path, name)
                if file.lstat().st_mtime < before:
                    file.unlink()
                    removed += 1
        for name in folders:
            with suppress(OSError):  # not empty
                Path(path, name).rmdir()
    return {"files": removed}


def clean_airflow(runtime: Runtime | None = None) -> dict[str, str]:
    """Run ``airflow db clean`` for what is past its time. Raises ``PlatformError``.

    The URL is given anew: Airflow hides it from its tasks.
    """
    runtime = runtime or get_runtime()
    before = _before(runtime, runtime.settings.keep_logs_days).isoformat()
    env = {**os.environ, "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": runtime.settings.airflow_dsn}
    env.pop("AIRFLOW__CORE__SQL_ALCHEMY_CONN", None)
    done = subprocess.run(  # noqa: S603 -- no part of it comes from outside
        [
            *(sys.executable, "-P", "-m", "airflow", "db", "clean"),
            *("--clean-before-timestamp", before),
            *("--skip-archive", "--yes", "--error-on-cleanup-failure"),
        ],
        env=env,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        said = (done.stderr or done.stdout).strip().splitlines()
        raise PlatformError(
            f"`airflow db clean` failed: {said[-1] if said else 'no message'}",
            remedy="See that DAYBREAK_AIRFLOW_DATABASE_URL names that database, as its owner; "
            "the next run tries again.",
        )
    return {"before": before}


def task_logs(settings: Settings) -> Path:
    """Where Airflow writes them: as its environment says, else in the state folder."""
    named = os.environ.get("AIRFLOW__LOGGING__BASE_LOG_FOLDER")
    return Path(named) if named else settings.state / "logs" / "tasks"


def _windows(runtime: Runtime) -> Windows:
    settings = runtime.settings
    return Windows(
        now=runtime.clock(),
        generations_before=_before(runtime, settings.keep_generations_days),
        snapshots_kept=settings.keep_snapshots,
    )


def _kept_events(runtime: Runtime) -> timedelta:
    return timedelta(days=runtime.settings.keep_events_days)


def _versions_before(runtime: Runtime) -> datetime:
    return _before(runtime, runtime.settings.keep_versions_days)


def _reports_before(runtime: Runtime) -> datetime:
    return _before(runtime, runtime.settings.keep_reports_days)


def _before(runtime: Runtime, days: int) -> datetime:
    return runtime.clock() - timedelta(days=days)


def _named(versions: Iterable[tuple[str, str]]) -> list[dict[str, str]]:
    return [{"model": model, "version": version} for model, version in versions]
