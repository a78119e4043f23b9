"""Our service as it is run: gunicorn with its own configuration, two workers."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from urllib.error import URLError
from urllib.request import urlopen

from benchmarks.online.processes import free_port, running
from daybreak.runtime import Runtime

WORKERS = 2


def command(port: int) -> list[str]:
    return [
        *(sys.executable, "-m", "gunicorn", "--config", "python:daybreak.serving.gunicorn_conf"),
        *("--bind", f"127.0.0.1:{port}", "daybreak.platform.wsgi:app"),
    ]


def environment(runtime: Runtime) -> dict[str, str]:
    given = {name: value for name, value in runtime.settings.as_environment().items() if value}
    return given | {"DAYBREAK_API_WORKERS": str(WORKERS)}


@contextmanager
def service(runtime: Runtime) -> Iterator[int]:
    """Yields its port."""
    port = free_port()

    def ready() -> bool:
        with suppress(URLError, OSError), urlopen(f"http://127.0.0.1:{port}/readyz") as response:
            return bool(response.status == 200)
        return False

    log = runtime.settings.state / "gunicorn.log"
    with running(command(port), environment(runtime), log, ready):
        yield port
