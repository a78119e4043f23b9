"""gunicorn's configuration; ``docs/api.md`` has the numbers behind the choices.

``--bind`` on the command line wins over the address here.
"""

from __future__ import annotations

import logging
from typing import Any

from daybreak.runtime import get_runtime

_settings = get_runtime().settings

bind = f"{_settings.api_host}:{_settings.api_port}"
workers = _settings.api_workers

# Threads keep connections alive between requests, which sync workers cannot; more of them than
# this only wait for Python's lock.
worker_class = "gthread"
threads = 4
keepalive = 75

# The app is imported once and shared by fork: workers start in milliseconds and share the pages
# of numpy and XGBoost. That is safe because nothing connects, loads an artifact or starts a
# thread at import; each worker does so for itself, in post_worker_init.
preload_app = True

# A request takes milliseconds; one that takes longer than the warehouse's connect timeout hangs.
timeout = 30
graceful_timeout = 15
# Slow bodies are bounded by number and size; the header carries a key of 80 bytes.
limit_request_fields = 50
limit_request_field_size = 4096

# One line a request, without headers: keys never reach a log.
accesslog = None
errorlog = "-"
control_socket_disable = True


def post_worker_init(worker: Any) -> None:
    """Load what is published before the first request comes, or say why that is not possible."""
    from daybreak.errors import DaybreakError  # noqa: PLC0415 (gunicorn's hook, in the worker)
    from daybreak.serving.service import service_of  # noqa: PLC0415

    service = service_of(worker.app.callable)
    for name in service.models:
        try:
            service.publications.current(name)
        except DaybreakError as error:
            logging.getLogger("gunicorn.error").warning("%s is not served yet: %s", name, error)


def worker_exit(_server: Any, _worker: Any) -> None:
    """Give the warehouse its connections back at once."""
    get_runtime().engine.dispose()
