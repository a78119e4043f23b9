"""The server as a gunicorn worker: gunicorn starts, watches, replaces and ends the processes."""

from __future__ import annotations

import os
import resource

from gunicorn.workers.base import Worker

from daybreak.runtime import get_runtime
from daybreak.serving.schemas import Health
from daybreak.serving.server.client import Patience
from daybreak.serving.server.requests import Limits
from daybreak.serving.server.serve import Server
from daybreak.serving.server.sharing import Places

MOST_CONNECTIONS = 2000
SPARE_FILES = 200
LEAST_PLACES = 32
PLACES = Places(max(LEAST_PLACES, 2 * get_runtime("service").settings.api_workers + 2))
"""As many again as there are workers: while they are replaced, old and new ones serve."""


class ReadingWorker(Worker):  # type: ignore[misc]  # gunicorn has no types
    """Reads requests whole before the app sees them."""

    place: int = 0

    def run(self) -> None:
        """Until the master says otherwise."""
        # Not above: gunicorn_conf says where processes add up metrics before their library comes.
        from daybreak.serving.metrics.reporter import Reporter  # noqa: PLC0415
        from daybreak.serving.service import service_of  # noqa: PLC0415

        settings = get_runtime("service").settings
        service = service_of(self.app.callable)
        server = Server(
            self.sockets,
            self.wsgi,
            limits=Limits(settings.max_body_bytes),
            patience=Patience(
                idle=self.cfg.keepalive, work=self.cfg.timeout, drain=self.cfg.graceful_timeout
            ),
            threads=self.cfg.threads,
            waiting=settings.api_queue,
            most=_room(),
            places=PLACES,
            place=self.place,
            always={b"/healthz": Health().model_dump()},
            # Else a replica that is only busy would be taken out, and the others get its load.
            probes={b"/readyz"},
            refused=service.metrics.refused,
        )
        with Reporter(service, server, worker=self.place):
            server.serve(self._alive, self.notify, self.PIPE[0])

    def _alive(self) -> bool:
        return bool(self.alive) and self.ppid == os.getppid()


def _room() -> int:
    """How many connections may be held: of the files that a process may have open, some are for
    the warehouse and for sharing."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = MOST_CONNECTIONS + SPARE_FILES
    files = wanted if most == resource.RLIM_INFINITY else min(most, wanted)
    resource.setrlimit(resource.RLIMIT_NOFILE, (files, most))
    return max(files - SPARE_FILES, 1)
