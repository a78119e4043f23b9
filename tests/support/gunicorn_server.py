"""A real gunicorn on a free port, with the service's own configuration."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil

from daybreak.runtime import Runtime

_LISTENING = re.compile(r"Listening at: http://127\.0\.0\.1:(\d+)")
_PATIENCE_SECONDS = 60


@dataclass(frozen=True)
class Server:
    """Where it listens, and what it has said so far."""

    port: int
    process: subprocess.Popen[bytes]
    log: Path

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def workers(self) -> list[psutil.Process]:
        """The processes that answer, as many as there are now."""
        return psutil.Process(self.process.pid).children()


@contextmanager
def gunicorn(
    runtime: Runtime,
    folder: Path,
    *,
    app: str = "toy_wsgi:app",
    env: Mapping[str, str] | None = None,
    port: int = 0,
) -> Iterator[Server]:
    """Serve ``app`` on the runtime's warehouse and registry until the end of the block.

    ``port``: 0 is any that is free.
    """
    settings = runtime.settings
    environment = os.environ | {
        "PYTHONPATH": os.pathsep.join(
            [str(Path(__file__).parent), os.environ.get("PYTHONPATH", "")]
        ),
        "DAYBREAK_HOME": str(settings.state),
        "DAYBREAK_WAREHOUSE_URL": settings.warehouse_dsn,
        "DAYBREAK_REFRESH_SECONDS": str(settings.refresh_seconds),
        **(env or {}),
    }
    log = folder / "gunicorn.log"
    command = [
        *(sys.executable, "-m", "gunicorn", "--config", "python:daybreak.serving.gunicorn_conf"),
        *("--bind", f"127.0.0.1:{port}", app),
    ]
    with log.open("wb") as output:
        process = subprocess.Popen(
            command, env=environment, stdout=output, stderr=output, start_new_session=True
        )
    try:
        yield Server(_port(process, log), process, log)
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(_PATIENCE_SECONDS)


def _port(process: subprocess.Popen[bytes], log: Path) -> int:
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        found = _LISTENING.search(log.read_text())
        if found:
            return int(found[1])
        time.sleep(0.05)
    raise AssertionError(f"gunicorn did not start:\n{log.read_text()}")
