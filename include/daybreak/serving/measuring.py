"""Requests of one model, measured in the app itself: in this process, one after the other.

Nothing listens, so nobody else can ask, and the only caller needs no key. Nothing stays: decisions
go to a file that is deleted, metrics nowhere, and what was asked is not counted.
"""

from __future__ import annotations

import io
import json
import tempfile
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from flask import Flask, Request
from werkzeug.test import EnvironBuilder

from daybreak.errors import InvalidRequest
from daybreak.models import get_model
from daybreak.runtime import Runtime
from daybreak.serving.app import create_app
from daybreak.serving.http.auth import Caller
from daybreak.serving.service import service_of
from daybreak.serving.spool import Spool
from daybreak.settings import Settings

Json = dict[str, Any]
FIRST = 3
"""Requests before any that counts: they load the version and prove its twin."""


@dataclass(frozen=True)
class Answered:
    """Of each request, the seconds that it took. ``sources``: of the answers."""

    seconds: list[float]
    sources: list[str]


class MeasuredApp:
    """The prediction service for one model, without a socket."""

    def __init__(self, app: Flask, model: str) -> None:
        self._app = app
        self._path = f"/v1/models/{model}/predict"

    def ask(self, bodies: Iterable[Json]) -> Answered:
        """Ask each, as soon as the one before is answered.

        Raises ``InvalidRequest`` where one is refused.
        """
        seconds, sources = [], []
        for body in bodies:
            environ = _environ(self._path, json.dumps(body).encode())
            status: list[str] = []
            began = time.perf_counter()
            answer = b"".join(self._app(environ, _keeping(status)))
            seconds.append(time.perf_counter() - began)
            found = json.loads(answer)
            if not status[0].startswith("200"):
                raise _refused(body, status[0], found)
            sources.append(found.get("source", "live"))
        return Answered(seconds, sources)


class _Unwritten(Spool):
    """Keeps decisions in its folder, and never writes them to the warehouse."""

    def follow(self) -> None:
        """Do not."""


class _ThisProcess:
    """Implements ``Authenticator``: whoever has the app in hand is in the same process."""

    def authenticate(self, request: Request) -> Caller:
        """May do everything."""
        return Caller("advise", "advise", lambda scope, model: True)


def with_app(
    settings: Settings, model: str, now: datetime, work: Callable[[MeasuredApp, Runtime], Any]
) -> Any:
    """What ``work`` returns of the app, whose clock begins at ``now``."""
    began = time.monotonic()

    def clock() -> datetime:
        return now + timedelta(seconds=time.monotonic() - began)

    with tempfile.TemporaryDirectory(prefix="daybreak-advise-") as folder:
        quiet = {"spool_dir": Path(folder), "statsd_host": None, "api_log_requests": False}
        runtime = Runtime(settings.model_copy(update={**quiet, "api_rate": 0}), clock, "service")
        app = create_app(runtime, authenticator=_ThisProcess(), models=[get_model(model)])
        service_of(app).decisions.spool = _Unwritten(runtime)
        service_of(app).asked.ignore()
        try:
            return work(MeasuredApp(app, model), runtime)
        finally:
            runtime.engine.dispose()
            runtime.lone_statements.dispose()


def _environ(path: str, body: bytes) -> dict[str, Any]:
    builder = EnvironBuilder(
        path=path, method="POST", input_stream=io.BytesIO(body), content_type="application/json"
    )
    builder.content_length = len(body)
    return builder.get_environ()


def _keeping(status: list[str]) -> Callable[..., Callable[[bytes], object]]:
    def start_response(said: str, _headers: Sequence[Any], _error: object = None) -> Any:
        status.append(said)
        return lambda _written: None

    return start_response


def _refused(body: Json, status: str, answer: Json) -> InvalidRequest:
    error, code = answer.get("error", {}), status.partition(" ")[0]
    return InvalidRequest(
        f"The endpoint answers {code} to a request that was to be measured: "
        f"{error.get('message', '')}",
        remedy=f"{error.get('remedy', '')} Requests of your own are given by --requests FILE.",
        field="requests",
        request=body,
    )
