"""What runs now, as plain data for the command line, the doctor and the demo."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from daybreak.platform import airflow_env, components, processes
from daybreak.platform.folder import StateFolder
from daybreak.platform.health import unhealthy
from daybreak.platform.postgres import Postgres
from daybreak.settings import Settings

PROBED = (components.API_SERVER, components.SERVING)


@dataclass(frozen=True)
class ComponentStatus:
    """``state``: healthy, starting, stopped, or external (replaced by a URL).

    ``dataset``: the data set that a process of ours was started for.
    """

    name: str
    state: str
    pid: int | None = None
    url: str | None = None
    detail: str = ""
    log: str | None = None
    dataset: str | None = None


@dataclass(frozen=True)
class PlatformStatus:
    """All components, in the order in which they start."""

    home: str
    dataset: str
    components: tuple[ComponentStatus, ...]
    airflow_user: str | None = None

    @property
    def healthy(self) -> bool:
        """Whether every component that is ours to run works."""
        return all(one.state in {"healthy", "external"} for one in self.components)

    def __getitem__(self, name: str) -> ComponentStatus:
        return next(one for one in self.components if one.name == name)

    def as_json(self) -> dict[str, Any]:
        """Without any password."""
        return {**asdict(self), "healthy": self.healthy}


def embedded_server(settings: Settings) -> Postgres:
    """The embedded server of these settings, whether it runs or not."""
    folder = StateFolder(settings.state)
    return Postgres(
        settings.postgres_dir,
        settings.postgres_socket_dir,
        folder.logs / "postgres.log",
        {processes.MARK: str(folder.root)},
    )


def needs_embedded(settings: Settings) -> bool:
    """False where both databases are given by URL."""
    return settings.warehouse_url is None or settings.airflow_database_url is None


def status(settings: Settings) -> PlatformStatus:
    """Look at every component; takes as long as the slowest probe."""
    folder = StateFolder(settings.state)
    found = [_postgres(settings)]
    found += [_process(folder, name) for name in (*components.AIRFLOW, components.SERVING)]
    login = airflow_env.login(folder)
    return PlatformStatus(
        str(settings.state), settings.dataset, tuple(found), login[0] if login else None
    )


def _postgres(settings: Settings) -> ComponentStatus:
    if not needs_embedded(settings):
        return ComponentStatus(components.POSTGRES, "external", detail="both databases by URL")
    server = embedded_server(settings)
    pid = server.pid()
    return ComponentStatus(
        components.POSTGRES,
        "healthy" if pid else "stopped",
        pid,
        detail=f"socket in {server.socket}" if pid else "",
        log=str(server.log) if server.log.exists() else None,
    )


def _process(folder: StateFolder, name: str) -> ComponentStatus:
    record = processes.find(folder, name)
    if record is None:
        return ComponentStatus(name, "stopped")
    reason = unhealthy(record)
    return ComponentStatus(
        name,
        "starting" if reason else "healthy",
        record.pid,
        record.url if name in PROBED else None,
        reason or "",
        record.log,
        record.dataset or None,
    )
