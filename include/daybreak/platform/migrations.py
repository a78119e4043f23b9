"""Migrate both databases to the schema of this version of the code."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
from collections.abc import Mapping
from importlib.metadata import version

from sqlalchemy import create_engine, inspect

from daybreak.errors import PlatformError
from daybreak.models import model_relations
from daybreak.platform import components
from daybreak.platform.folder import StateFolder
from daybreak.platform.processes import MARK, tail
from daybreak.settings import Settings
from daybreak.warehouse.engine import make_engine
from daybreak.warehouse.migrate import migrate


def migrate_warehouse(settings: Settings) -> None:
    """Run the warehouse's migrations; takes a moment where there is nothing to do."""
    engine = make_engine(settings.dsn_for("migrations"))
    try:
        migrate(engine, relations=model_relations())
    finally:
        engine.dispose()


def migrate_airflow(settings: Settings, folder: StateFolder, env: Mapping[str, str]) -> None:
    """Run ``airflow db migrate``, unless this version has done so on this very database.

    The command takes several seconds even where there is nothing to do; a stamp saves them.
    """
    stamp = folder.airflow_home / "schema.json"
    expected = {
        "airflow": version("apache-airflow-core"),
        "database": hashlib.sha256(settings.airflow_dsn.encode()).hexdigest(),
    }
    if _read(stamp.read_text() if stamp.exists() else "") == expected and _has_schema(settings):
        return
    log = folder.logs / "airflow-db-migrate.log"
    with log.open("ab") as output:
        result = subprocess.run(
            components.python("airflow", "db", "migrate"),
            env={**os.environ, **env, MARK: str(folder.root)},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            check=False,
        )
    if result.returncode:
        raise PlatformError(
            f"`airflow db migrate` failed. Its last words:\n{tail(str(log))}",
            remedy=f"The whole log is {log}.",
        )
    stamp.write_text(json.dumps(expected))


def _read(text: str) -> object:
    try:
        return json.loads(text)
    except ValueError:
        return None


def _has_schema(settings: Settings) -> bool:
    engine = create_engine(settings.airflow_dsn, hide_parameters=True)
    try:
        return inspect(engine).has_table("alembic_version")
    finally:
        engine.dispose()
