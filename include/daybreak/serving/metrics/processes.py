"""The folder by which the processes of one service add up their metrics.

prometheus-client's multiprocess mode: each process writes what it counts to files of its own, and
whichever is asked adds them up. It is chosen by a variable when that library is imported.
"""

from __future__ import annotations

import glob
import os
import shutil
import socket
from pathlib import Path

import psutil

from daybreak.errors import ConfigError

FOLDER = "PROMETHEUS_MULTIPROC_DIR"


def share(home: Path) -> None:
    """Let this process and those that it forks add up, from nothing. Before the app is imported.

    Below ``run/metrics`` each service has a folder by its host and the id of its first process;
    those of services of this host that are gone are removed. Containers that share a volume have
    names of their own as hosts, though all their processes may be number 1. Raises ``ConfigError``.
    """
    services = home / "run" / "metrics"
    host = socket.gethostname()
    own = services / f"{host}-{os.getpid()}"
    try:
        services.mkdir(parents=True, exist_ok=True)
        others = {f"{host}-{pid}" for pid in psutil.pids()} - {own.name}
        for folder in services.glob(f"{glob.escape(host)}-*"):
            if folder.name not in others:
                shutil.rmtree(folder, ignore_errors=True)
        own.mkdir(mode=0o700)
    except OSError as error:
        raise ConfigError(
            f"The folder {own} for metrics cannot be made: {error.strerror}.",
            remedy="Set DAYBREAK_HOME to a folder that the service may write to.",
        ) from error
    os.environ[FOLDER] = str(own)


def forget(pid: int) -> None:
    """A process has ended: what it counted stays, its connections and memory are gone."""
    from prometheus_client.multiprocess import mark_process_dead  # noqa: PLC0415 (see above)

    mark_process_dead(pid)  # type: ignore[no-untyped-call]


def end() -> None:
    """The service has ended."""
    shutil.rmtree(os.environ[FOLDER], ignore_errors=True)
