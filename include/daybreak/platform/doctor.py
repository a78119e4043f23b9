"""Checks for what would keep Daybreak from working here; each fault has a remedy."""

from __future__ import annotations

import importlib
import importlib.util
import os
import shutil
import socket
import stat
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import suppress

from daybreak.errors import DaybreakError
from daybreak.models import model_relations
from daybreak.platform import airflow_env, components, operation, ports, processes
from daybreak.platform.findings import Finding
from daybreak.platform.folder import StateFolder
from daybreak.platform.status import embedded_server
from daybreak.registry.disk import DiskStore
from daybreak.registry.store import open_store
from daybreak.settings import Settings
from daybreak.warehouse.engine import connect, make_engine
from daybreak.warehouse.migrate import check_current

WHEELS = (
    "alembic",
    "asyncpg",
    "boto3",
    "flask",
    "gunicorn",
    "numpy",
    "onnxruntime",
    "pandas",
    "psycopg",
    "psycopg2",
    "pyarrow",
    "xgboost",
)
DISK_BYTES = 2 * 10**9
"""A year of synthetic data, its snapshots and scores take about 1 GB."""


def examine(settings: Settings) -> list[Finding]:
    """Run every check. One that breaks is a fault of its own, not the end of the others."""
    findings: list[Finding] = []
    for check in CHECKS:
        try:
            findings.extend(check(settings))
        except DaybreakError as error:
            findings.append(Finding(_name(check), False, error.message, error.remedy))
        except OSError as error:
            findings.append(Finding(_name(check), False, str(error), "See docs/runbook.md."))
    return findings


def _python(_settings: Settings) -> Iterator[Finding]:
    found = ".".join(map(str, sys.version_info[:3]))
    fits = (3, 11) <= sys.version_info < (3, 14)
    yield Finding(
        "python",
        fits,
        f"Python {found}",
        "" if fits else "Remove .venv and run `make setup PYTHON=python3.12` (3.11 to 3.13).",
    )


def _wheels(_settings: Settings) -> Iterator[Finding]:
    broken = []
    for name in WHEELS:
        try:
            importlib.import_module(name)
        except (ImportError, OSError) as error:
            broken.append(f"{name} ({error})")
    # Found, not imported: the package never imports Airflow.
    if importlib.util.find_spec("airflow") is None:
        broken.append("airflow (not installed)")
    yield Finding(
        "wheels",
        not broken,
        f"cannot be imported: {', '.join(broken)}" if broken else f"{len(WHEELS) + 1} import",
        "Run `make setup` again." if broken else "",
    )


def _state(settings: Settings) -> Iterator[Finding]:
    root = settings.state
    there = next(path for path in (root, *root.parents) if path.exists())
    if not os.access(there, os.W_OK | os.X_OK):
        yield Finding(
            "state",
            False,
            f"{there} cannot be written to",
            "Set DAYBREAK_HOME to a folder that you may write to.",
        )
        return
    if root.exists() and root.stat().st_uid != os.geteuid():
        yield Finding(
            "state",
            False,
            f"{root} belongs to another user",
            "Run as that user, or set DAYBREAK_HOME to a folder of your own.",
        )
        return
    if root.exists() and stat.S_IMODE(root.stat().st_mode) & stat.S_IWOTH:
        yield Finding("state", False, f"anyone may write to {root}", f"Run `chmod o-w {root}`.")
        return
    moved = settings.postgres_socket_dir != settings.postgres_dir
    note = f"; too deep for a socket, which is in {settings.postgres_socket_dir}" if moved else ""
    yield Finding("state", True, f"{root}{note}")


def _disk(settings: Settings) -> Iterator[Finding]:
    root = settings.state
    there = next(path for path in (root, *root.parents) if path.exists())
    free = shutil.disk_usage(there).free
    enough = free >= DISK_BYTES
    yield Finding(
        "disk",
        enough,
        f"{free / 1e9:.1f} GB free in {there}",
        "" if enough else f"Free {DISK_BYTES / 1e9:.0f} GB, or set DAYBREAK_HOME to another disk.",
    )


def _ports(settings: Settings) -> Iterator[Finding]:
    folder = StateFolder(settings.state)
    for name, field in ((components.SERVING, "api_port"), (components.API_SERVER, "airflow_port")):
        port = getattr(settings, field)
        if processes.find(folder, name) is not None:
            yield Finding("port", True, f"{name} of this platform is running")
        elif port == 0 or ports.is_free(settings.api_host, port):
            yield Finding("port", True, f"{port or 'any'} is free for {name}")
        else:
            setting = f"DAYBREAK_{field.upper()}"
            fixed = field in settings.model_fields_set
            yield Finding(
                "port",
                not fixed,
                f"{port} for {name} is held by {ports.holder(port)}"
                + ("" if fixed else "; the next free one will be taken"),
                f"End that process, or set {setting} to another port." if fixed else "",
            )


def _database(settings: Settings) -> Iterator[Finding]:
    if settings.warehouse_url is None and embedded_server(settings).pid() is None:
        yield Finding("database", True, "embedded, not started; `daybreak up` starts it")
        return
    engine = make_engine(settings.warehouse_dsn)
    try:
        with connect(engine):
            pass
        check_current(engine, model_relations())
    finally:
        engine.dispose()
    yield Finding("database", True, "reachable and migrated")


def _registry(settings: Settings) -> Iterator[Finding]:
    location = settings.registry_location
    store = open_store(location, settings.s3_endpoint_url)
    if isinstance(store, DiskStore):
        there = next(path for path in (store.root, *store.root.parents) if path.exists())
        try:
            with tempfile.TemporaryFile(dir=there):
                pass
        except OSError as error:
            yield Finding(
                "registry",
                False,
                f"{there} cannot be written to: {error.strerror}",
                "Set DAYBREAK_REGISTRY_URL to a folder that you may write to, or to s3://...",
            )
            return
    else:
        # Always the same bytes, so that a second check is no conflict.
        store.write("doctor.txt", b"Written by `daybreak doctor` to see that it can.\n")
    yield Finding("registry", True, f"{location} takes new versions")


def _folders(_settings: Settings) -> Iterator[Finding]:
    folders = airflow_env.airflow_folders()
    yield Finding("checkout", True, f"DAGs in {folders['AIRFLOW__CORE__DAGS_FOLDER']}")


def _statsd(settings: Settings) -> Iterator[Finding]:
    host, port = settings.statsd_host, settings.statsd_port
    if host is None:
        yield Finding("statsd", True, "not configured; no metrics are sent")
        return
    try:
        family, kind, *_, address = socket.getaddrinfo(host, port, type=socket.SOCK_DGRAM)[0]
        with socket.socket(family, kind) as probe:
            probe.settimeout(0.5)
            probe.connect(address)
            # UDP is not answered, but a closed port is reported to the next call.
            probe.send(b"daybreak.doctor:1|c")
            with suppress(TimeoutError):
                probe.recv(1)
    except OSError as error:
        yield Finding(
            "statsd",
            False,
            f"{host}:{port}/udp: {error.strerror}",
            "Start the daemon, or unset DAYBREAK_STATSD_HOST; runs go on without metrics.",
        )
        return
    yield Finding("statsd", True, f"{host}:{port}/udp takes packets")


def _name(check: Callable[[Settings], Iterator[Finding]]) -> str:
    return check.__name__.removeprefix("_")


def _operation(settings: Settings) -> Iterator[Finding]:
    yield from operation.operation(settings)


CHECKS = (
    *(_python, _wheels, _folders, _state, _disk, _ports, _database, _registry, _statsd),
    _operation,
)
