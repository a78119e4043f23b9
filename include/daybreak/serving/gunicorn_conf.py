"""gunicorn's configuration; the measurements are in ``docs/api.md``.

``--bind`` on the command line wins over the address here.
"""

from __future__ import annotations

import gc
import logging
from typing import Any

from daybreak.errors import ConfigError
from daybreak.runtime import get_runtime
from daybreak.serving.http.access_log import log_to_stdout
from daybreak.serving.metrics import processes
from daybreak.serving.server.memory import one_arena
from daybreak.serving.server.worker import PLACES

_settings = get_runtime("service").settings
processes.share(_settings.state)  # before anything imports prometheus_client
one_arena()

bind = f"{_settings.api_host}:{_settings.api_port}"
workers = _settings.api_workers

# Requests are read whole before the app sees them (docs/adr/0014): a client that sends or reads
# slowly holds up nobody.
worker_class = "daybreak.serving.server.worker.ReadingWorker"
threads = _settings.api_threads
keepalive = 75

# The app is imported once and shared by fork: a worker, also one that replaces another, starts
# without three seconds of imports, and shares the pages of numpy and XGBoost. That is safe
# because nothing connects, loads an artifact or starts a thread at import; each worker does so
# for itself, in post_worker_init.
preload_app = True

# A request takes milliseconds; one that takes longer than the warehouse's connect timeout hangs.
timeout = 30
graceful_timeout = 15

# The app writes its own lines, without headers: keys never reach a log.
accesslog = None
if _settings.api_log_requests:
    log_to_stdout()
errorlog = "-"
control_socket_disable = True


def when_ready(_server: Any) -> None:
    """Keep what is imported out of the collection of garbage, in all workers: it stays for good.

    To look through it took two thirds of the time in which a worker exits.
    """
    gc.freeze()


def pre_fork(server: Any, worker: Any) -> None:
    """Give the worker a place of its own among those that share the work."""
    taken = {other.place for other in server.WORKERS.values()}
    free = [place for place in range(PLACES.count) if place not in taken]
    if not free:
        raise ConfigError(
            f"There are more than {PLACES.count} workers of the prediction service.",
            remedy="Set DAYBREAK_API_WORKERS instead of giving gunicorn a number.",
        )
    worker.place = free[0]


def child_exit(_server: Any, worker: Any) -> None:
    """Nobody is there to share with."""
    PLACES.leave(worker.place)
    processes.forget(worker.pid)


def post_worker_init(worker: Any) -> None:
    """Load what is published before the first request, or log why that is not possible; and follow.

    A worker that answers /readyz with the reason is better than none.
    """
    from daybreak.serving.service import service_of  # noqa: PLC0415 (in the worker, not before)

    service = service_of(worker.app.callable)
    for name, model in service.models.items():
        try:
            service.publication(model)
        except Exception as error:
            logging.getLogger("gunicorn.error").warning("%s is not served yet: %s", name, error)
    service.publications.follow()
    service.decisions.spool.follow()


def worker_exit(_server: Any, _worker: Any) -> None:
    """Close the connections to the warehouse at once."""
    runtime = get_runtime("service")
    for engine in (runtime.engine, runtime.lone_statements, runtime.report_engine):
        engine.dispose()


def on_exit(_server: Any) -> None:
    """Nobody asks for metrics any more."""
    processes.end()
