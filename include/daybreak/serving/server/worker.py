"""The server as a gunicorn worker: gunicorn starts, watches, replaces and ends the processes."""

from __future__ import annotations

import os
import resource

from gunicorn.workers.base import Worker

from daybreak.runtime import get_runtime
from daybreak.serving.schemas import Health
from daybreak.serving.server.balance import Balance, Counts
from daybreak.serving.server.connections import Patience, Server
from daybreak.serving.server.requests import Limits

MOST_CONNECTIONS = 2000
MOST_WORKERS = 256
SPARE_FILES = 200
COUNTS = Counts(MOST_WORKERS)
"""Made before the first fork."""


class ReadingWorker(Worker):  # type: ignore[misc]  # gunicorn has no types
    """Reads requests whole before the app sees them."""

    place: int = 0

    def run(self) -> None:
        """Until the master says otherwise."""
        settings = get_runtime("service").settings
        _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        Server(
            self.sockets,
            self.wsgi,
            limits=Limits(settings.max_body_bytes),
            patience=Patience(
                idle=self.cfg.keepalive, work=self.cfg.timeout, drain=self.cfg.graceful_timeout
            ),
            threads=self.cfg.threads,
            waiting=settings.api_queue,
            most=min(MOST_CONNECTIONS, hard - SPARE_FILES),
            balance=Balance(COUNTS, self.place),
            always={b"/healthz": Health().model_dump()},
        ).serve(self._alive, self.notify, self.PIPE[0])

    def _alive(self) -> bool:
        return bool(self.alive) and self.ppid == os.getppid()
