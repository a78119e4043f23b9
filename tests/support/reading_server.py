"""The server that requests are read whole by, in a thread of the test, on a free port."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from contextlib import closing, contextmanager
from threading import Event, Thread
from typing import Any

from daybreak.serving.schemas import Health
from daybreak.serving.server.client import Patience
from daybreak.serving.server.requests import Limits
from daybreak.serving.server.serve import Server
from daybreak.serving.server.sharing import Places
from daybreak.serving.server.wsgi import App


@contextmanager
def serving(
    app: App, *, body: int = 1 << 20, waiting: int = 8, patience: Patience | None = None
) -> Iterator[int]:
    """Serve ``app`` until the end of the block; yields the port."""
    ended, wake = Event(), os.pipe()
    with closing(Places(1)) as places, socket.create_server(("127.0.0.1", 0)) as listener:
        server: Any = Server(
            [listener],
            app,
            limits=Limits(body),
            patience=patience or Patience(),
            threads=2,
            waiting=waiting,
            most=100,
            places=places,
            place=0,
            always={b"/healthz": Health().model_dump()},
            probes=(),
            refused=lambda error: None,
        )
        port = listener.getsockname()[1]
        arguments = (lambda: not ended.is_set(), lambda: None, wake[0])
        thread = Thread(target=server.serve, args=arguments, daemon=True)
        thread.start()
        try:
            yield port
        finally:
            ended.set()
            os.write(wake[1], b"1")
            thread.join(20)
            for end in wake:
                os.close(end)
