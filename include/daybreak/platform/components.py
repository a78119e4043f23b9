"""What the platform runs: the command, the environment and the address of each component."""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Mapping
from dataclasses import dataclass

POSTGRES = "postgres"
API_SERVER = "api-server"
SCHEDULER = "scheduler"
DAG_PROCESSOR = "dag-processor"
TRIGGERER = "triggerer"
SERVING = "serving"

AIRFLOW = (API_SERVER, SCHEDULER, DAG_PROCESSOR, TRIGGERER)
GROUPS: Mapping[str, tuple[str, ...]] = {
    "postgres": (POSTGRES,),
    "airflow": AIRFLOW,
    "serving": (SERVING,),
}
"""What ``daybreak up --only`` takes."""

NAMES = tuple(name for group in GROUPS.values() for name in group)


@dataclass(frozen=True)
class Component:
    """A process to start. ``url`` is where its health is asked, without a trailing slash."""

    name: str
    argv: tuple[str, ...]
    env: Mapping[str, str]
    url: str

    @property
    def fingerprint(self) -> str:
        """Changes when the command or the environment does: then a restart is due."""
        text = json.dumps([self.argv, sorted(self.env.items())])
        return hashlib.sha256(text.encode()).hexdigest()


def python(module: str, *arguments: str) -> tuple[str, ...]:
    """A module of this installation; -P keeps the current folder out of its imports."""
    return (sys.executable, "-P", "-m", module, *arguments)


def airflow_components(env: Mapping[str, str], host: str, port: int) -> list[Component]:
    """Airflow's four processes, started directly: healthy in half the time of ``standalone``."""
    url = f"http://{reachable(host)}:{port}"
    api = ("api-server", "--host", host, "--port", str(port), "--workers", "1")
    commands = {
        API_SERVER: api,
        # Logs are read from the shared folder; their servers would take ports 8793 and 8794.
        SCHEDULER: ("scheduler", "--skip-serve-logs"),
        DAG_PROCESSOR: ("dag-processor",),
        TRIGGERER: ("triggerer", "--skip-serve-logs"),
    }
    forks = {SCHEDULER: ("daybreak.platform.preload", "airflow")}
    return [
        Component(name, python(*forks.get(name, ("airflow",)), *arguments), env, url)
        for name, arguments in commands.items()
    ]


def serving_component(env: Mapping[str, str], host: str, port: int) -> Component:
    """The prediction service under gunicorn."""
    argv = python(
        "gunicorn",
        "--config",
        "python:daybreak.serving.gunicorn_conf",
        "--bind",
        f"{host}:{port}",
        "daybreak.platform.wsgi:app",
    )
    return Component(SERVING, argv, env, f"http://{reachable(host)}:{port}")


def reachable(host: str) -> str:
    """An address to call for one that a server binds to."""
    return "127.0.0.1" if host in {"0.0.0.0", "", "::"} else host  # noqa: S104 -- compared only
