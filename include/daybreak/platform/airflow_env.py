"""The environment that turns Airflow's stock commands into Daybreak's scheduler."""

from __future__ import annotations

import base64
import hashlib
import json
import os
from pathlib import Path

import daybreak
from daybreak.errors import PlatformError
from daybreak.platform.components import reachable
from daybreak.platform.folder import StateFolder
from daybreak.settings import Settings


def settings_env(settings: Settings) -> dict[str, str]:
    """The settings as environment variables for child processes, in whatever folder they run."""
    anchored = settings.anchored()
    # Set even where they are the default: `status` shows what a process was started with.
    return anchored.as_environment() | {
        "DAYBREAK_HOME": str(anchored.home),
        "DAYBREAK_DATASET": anchored.dataset,
    }


def airflow_env(settings: Settings, folder: StateFolder, port: int) -> dict[str, str]:
    """Everything Airflow reads: ours where it must be, else what the caller has set already.

    A variable ``AIRFLOW__SECTION__KEY`` in the caller's environment overrides our defaults, but not
    what connects the components (databases, folders, secrets, addresses).
    """
    preferences = {
        **airflow_folders(),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__EXECUTOR": "LocalExecutor",
        # The default forks 32 workers of 145 MB each.
        "AIRFLOW__CORE__PARALLELISM": "4",
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS": "admin:admin",
        # The default of 1 s makes a run of five tasks take 12 s; with 0.1 s an idle scheduler and
        # its database take a quarter of a core, with this a tenth.
        "AIRFLOW__SCHEDULER__SCHEDULER_IDLE_SLEEP_TIME": "0.25",
        "AIRFLOW__DAG_PROCESSOR__REFRESH_INTERVAL": "5",
        "AIRFLOW__API__EXPOSE_CONFIG": "False",
        "AIRFLOW__USAGE_DATA_COLLECTION__ENABLED": "False",
    }
    if settings.statsd_host:
        preferences |= {
            "AIRFLOW__METRICS__STATSD_ON": "True",
            "AIRFLOW__METRICS__STATSD_HOST": settings.statsd_host,
            "AIRFLOW__METRICS__STATSD_PORT": str(settings.statsd_port),
            "AIRFLOW__METRICS__STATSD_PREFIX": "airflow",
        }
    chosen = {name: os.environ.get(name, value) for name, value in preferences.items()}
    others = {
        name: value
        for name, value in os.environ.items()
        if name.startswith("AIRFLOW__") and name not in preferences
    }
    url = f"http://{reachable(settings.api_host)}:{port}"
    ties = {
        "AIRFLOW_HOME": str(folder.airflow_home),
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": settings.airflow_dsn,
        "AIRFLOW__API_AUTH__JWT_SECRET": folder.secret("jwt"),
        "AIRFLOW__API__SECRET_KEY": folder.secret("session"),
        "AIRFLOW__CORE__FERNET_KEY": _fernet(folder.secret("fernet")),
        "AIRFLOW__API__BASE_URL": url,
        "AIRFLOW__API__PORT": str(port),
        "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"{url}/execution/",
        "AIRFLOW__LOGGING__BASE_LOG_FOLDER": str(folder.logs / "tasks"),
        "AIRFLOW__SCHEDULER__USE_JOB_SCHEDULE": str(settings.schedule),
    }
    # Keeps process titles out of the environment, by which `down` finds every child.
    return others | chosen | ties | settings_env(settings) | {"SPT_NOENV": "1"}


def login(folder: StateFolder) -> tuple[str, str] | None:
    """A user of Airflow's UI and the generated password; None before the first start."""
    path = folder.airflow_home / "simple_auth_manager_passwords.json.generated"
    try:
        users = json.loads(path.read_text())
    except (FileNotFoundError, ValueError):
        return None
    return next(iter(users.items()), None)


def airflow_folders() -> dict[str, str]:
    """Where Airflow finds our DAGs and plugins: as the environment says, else in the checkout.

    The wheel does not carry them. Raises ``PlatformError`` where there are none.
    """
    folders = {"AIRFLOW__CORE__DAGS_FOLDER": "dags", "AIRFLOW__CORE__PLUGINS_FOLDER": "plugins"}
    given = {name: path for name in folders if (path := os.environ.get(name))}
    if given.keys() == folders.keys():
        return given
    for root in (Path(daybreak.__file__).parents[2], Path.cwd()):
        # Any Airflow project has a folder `dags`; this file is only ours.
        if (root / "plugins" / "daybreak_plugin.py").is_file():
            return {name: str(root / folder) for name, folder in folders.items()} | given
    raise PlatformError(
        "Daybreak's DAGs are not here: the package does not carry `dags/` and `plugins/`.",
        remedy="Run `daybreak up` in a checkout of the project, or set "
        "AIRFLOW__CORE__DAGS_FOLDER and AIRFLOW__CORE__PLUGINS_FOLDER to its folders. "
        "`daybreak up --only postgres --only serving` works anywhere.",
    )


def _fernet(secret: str) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(secret.encode()).digest()).decode()
