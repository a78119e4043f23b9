"""``up`` and ``down``: start the platform until it is healthy, or stop all of it."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from urllib.parse import urlsplit

from daybreak.errors import PlatformError
from daybreak.platform import (
    airflow_env,
    components,
    migrations,
    operation,
    ports,
    processes,
    recall,
)
from daybreak.platform.components import Component
from daybreak.platform.folder import StateFolder
from daybreak.platform.health import unhealthy
from daybreak.platform.processes import Record
from daybreak.platform.status import embedded_server, needs_embedded, status
from daybreak.settings import Settings
from daybreak.warehouse.roles import ROLES

HEALTH_SECONDS = 180.0
POLL_SECONDS = 0.2

Listener = Callable[[str, str], None]
"""Called with a component's name and what happens to it."""


def silent(_name: str, _event: str) -> None:
    """A listener that says nothing."""


def up(
    settings: Settings,
    only: Collection[str] = (),
    listen: Listener = silent,
    patience: float = HEALTH_SECONDS,
) -> bool:
    """Start what does not run, restart what runs with other settings, wait until all is healthy.

    ``only``: names of ``components.GROUPS``; the database is always part of it, and what runs for
    another data set is restarted in any case: commands that follow mean this one. A start that
    fails takes down again what it began, and raises ``PlatformError`` with the log's last lines.
    Returns whether anything had to be started.
    """
    groups = {*(only or components.GROUPS), *_groups_of(operation.of_other_data_sets(settings))}
    if "airflow" in groups:
        airflow_env.airflow_folders()  # or else it would fail with half of the platform up
    folder = StateFolder(settings.state)
    folder.prepare()
    with folder.lock():
        recall.remember(settings, folder)
        with _undone_on_failure(settings, folder) as begun:
            _start_postgres(settings, begun, listen)
            # The service is told where Airflow is, so its port is chosen before both start.
            port = _airflow_port(settings, folder, groups)
            with ThreadPoolExecutor(max_workers=2) as pool:
                airflow = pool.submit(_airflow, settings, folder, groups, begun, listen, port=port)
                serving = pool.submit(
                    _serving, _knowing_airflow(settings, port), folder, groups, begun, listen
                )
                records = serving.result() + airflow.result()
            _wait(records, listen, patience)
            return bool(begun)


def down(settings: Settings, listen: Listener = silent) -> None:
    """Stop every component, then whatever else carries the platform's mark."""
    folder = StateFolder(settings.state)
    if not folder.root.exists():
        return
    folder.prepare()
    with folder.lock():
        _down(settings, folder, listen)


def _down(settings: Settings, folder: StateFolder, listen: Listener) -> None:
    running = [
        record for name in components.NAMES if (record := processes.find(folder, name)) is not None
    ]
    for record in running:
        listen(record.name, "stopping")
    processes.stop(running, folder)
    server = embedded_server(settings)
    database = server.pid()
    # Tasks and helpers that outlived their component go before the database they write to.
    processes.end([one for one in processes.stragglers(folder) if one.name() != "postgres"])
    if database is not None:
        listen(components.POSTGRES, "stopping")
        server.stop()
    processes.end(processes.stragglers(folder))
    for name in (*[record.name for record in running], *([components.POSTGRES] * bool(database))):
        listen(name, "stopped")


@contextmanager
def _undone_on_failure(settings: Settings, folder: StateFolder) -> Iterator[list[str]]:
    """Collects names of what is begun; a failure, or Ctrl-C, stops those again."""
    begun: list[str] = []
    try:
        yield begun
    except BaseException:
        if components.POSTGRES in begun:  # then nothing ran before
            _down(settings, folder, silent)
        else:
            ours = [record for name in begun if (record := processes.find(folder, name))]
            processes.stop(ours, folder)
        raise


def _groups_of(records: Iterable[Record]) -> set[str]:
    names = {record.name for record in records}
    return {group for group, members in components.GROUPS.items() if names & {*members}}


def _start_postgres(settings: Settings, begun: list[str], listen: Listener) -> None:
    if not needs_embedded(settings):
        listen(components.POSTGRES, "external")
        return
    server = embedded_server(settings)
    if server.pid() is None:
        listen(components.POSTGRES, "starting")
        begun.append(components.POSTGRES)
        server.start()
    if settings.warehouse_url is None:
        server.create_roles(*ROLES)
        server.create_databases(settings.warehouse_database)
    if settings.airflow_database_url is None:
        server.create_roles("airflow")
        server.create_databases("airflow", owner="airflow")
    listen(components.POSTGRES, "healthy")


def _airflow_port(settings: Settings, folder: StateFolder, groups: Collection[str]) -> int | None:
    """Where Airflow's API server is or will be; None where it neither runs nor is to start."""
    if "airflow" in groups:
        return _port(settings, folder, components.API_SERVER, "airflow_port")
    record = processes.find(folder, components.API_SERVER)
    return urlsplit(record.url).port if record else None


def _knowing_airflow(settings: Settings, port: int | None) -> Settings:
    """With the address of Airflow's UI, unless there is none or another one is given."""
    if port is None or settings.airflow_url is not None:
        return settings
    url = f"http://{components.reachable(settings.api_host)}:{port}"
    return settings.model_copy(update={"airflow_url": url})


def _airflow(
    settings: Settings,
    folder: StateFolder,
    groups: Collection[str],
    begun: list[str],
    listen: Listener,
    *,
    port: int | None,
) -> list[Record]:
    if "airflow" not in groups or port is None:
        return []
    env = airflow_env.airflow_env(settings, folder, port)
    wanted = components.airflow_components(env, settings.api_host, port)
    fresh = [component for component in wanted if not _runs_as_wanted(component, folder)]
    if fresh:
        listen(components.API_SERVER, "preparing Airflow's database")
        migrations.migrate_airflow(settings, folder, env)
    return _start_all(wanted, folder, begun, listen)


def _serving(
    settings: Settings,
    folder: StateFolder,
    groups: Collection[str],
    begun: list[str],
    listen: Listener,
) -> list[Record]:
    migrations.migrate_warehouse(settings)
    if "serving" not in groups:
        return []
    port = _port(settings, folder, components.SERVING, "api_port")
    env = airflow_env.settings_env(settings) | {
        "DAYBREAK_API_PORT": str(port),
        "SPT_NOENV": "1",
    }
    component = components.serving_component(env, settings.api_host, port)
    return _start_all([component], folder, begun, listen)


def _port(settings: Settings, folder: StateFolder, name: str, field: str) -> int:
    """The port of the component that runs, if the settings allow it, else a free one."""
    preferred: int = getattr(settings, field)
    fixed = field in settings.model_fields_set
    record = processes.find(folder, name)
    if record is not None:
        port = urlsplit(record.url).port or 0
        if not (fixed and preferred) or port == preferred:
            return port
    return ports.choose(
        settings.api_host, preferred, setting=f"DAYBREAK_{field.upper()}", fixed=fixed
    )


def _runs_as_wanted(component: Component, folder: StateFolder) -> Record | None:
    record = processes.find(folder, component.name)
    return record if record and record.fingerprint == component.fingerprint else None


def _start_all(
    wanted: list[Component], folder: StateFolder, begun: list[str], listen: Listener
) -> list[Record]:
    outdated = [
        record
        for component in wanted
        if (record := processes.find(folder, component.name))
        and record.fingerprint != component.fingerprint
    ]
    for record in outdated:
        listen(record.name, "stopping: its settings changed")
    processes.stop(outdated, folder)
    records = []
    for component in wanted:
        record = _runs_as_wanted(component, folder)
        if record is None:
            begun.append(component.name)
            listen(component.name, "starting")
            record = processes.start(component, folder)
        records.append(record)
    return records


def _wait(records: list[Record], listen: Listener, patience: float) -> None:
    """Poll until each is healthy. Raises ``PlatformError`` if one ends or time runs out."""
    give_up = time.monotonic() + patience
    waiting: Mapping[str, Record] = {record.name: record for record in records}
    while waiting:
        reasons = {name: unhealthy(record) for name, record in waiting.items()}
        for name, record in waiting.items():
            if not record.alive():
                raise PlatformError(
                    f"{name} ended while it started. Its last words:\n{processes.tail(record.log)}",
                    remedy=f"The whole log is {record.log}.",
                    component=name,
                )
            if reasons[name] is None:
                listen(name, "healthy")
        waiting = {name: record for name, record in waiting.items() if reasons[name]}
        if waiting and time.monotonic() > give_up:
            why = "; ".join(f"{name}: {reasons[name]}" for name in waiting)
            logs = ", ".join(record.log for record in waiting.values())
            raise PlatformError(
                f"Not healthy after {patience:.0f} s: {why}.",
                remedy=f"See {logs}, and run `daybreak doctor`.",
                components=sorted(waiting),
            )
        if waiting:
            time.sleep(POLL_SECONDS)


__all__ = ["Listener", "down", "silent", "status", "up"]
