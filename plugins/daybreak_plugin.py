"""Mounts the prediction endpoint at ``/daybreak`` of Airflow's API server, behind its login, and
puts its page into the navigation.

Every Airflow component loads this module, so it imports nothing heavy: the Flask app is made at
the first request. Traffic belongs to gunicorn (a mount costs about 2 ms a request); this serves
people who are logged in, and occasional calls.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from threading import Lock
from typing import TYPE_CHECKING, Any, ClassVar

from airflow.plugins_manager import AirflowPlugin

from daybreak_timetable import NightlyTimetable

if TYPE_CHECKING:
    from flask import Flask

ASGI = Callable[[Any, Any, Any], Awaitable[None]]


class Mount:
    """An ASGI application that is made when first called."""

    def __init__(self, make: Callable[[], ASGI]) -> None:
        self._make = make
        self._lock = Lock()
        self._app: ASGI | None = None

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Hand the request on. The app is made in a thread: it takes a second to import."""
        app = self._app or await asyncio.to_thread(self._made)
        await app(scope, receive, send)

    def _made(self) -> ASGI:
        with self._lock:
            self._app = self._app or self._make()
            return self._app


def make_flask_app() -> Flask:
    """The same app as under gunicorn, closed by Airflow's login instead of API keys."""
    from airflow.configuration import conf  # noqa: PLC0415 (see the module's docstring)

    from daybreak.jobs.by_hand import ByHand  # noqa: PLC0415
    from daybreak.runtime import get_runtime  # noqa: PLC0415
    from daybreak.serving.app import create_app  # noqa: PLC0415
    from daybreak.serving.page.frame import Page  # noqa: PLC0415
    from daybreak_airflow_auth import AirflowLogin  # noqa: PLC0415

    page = Page(acts=ByHand(), airflow_url=conf.get("api", "base_url", fallback=None))
    return create_app(get_runtime("service"), authenticator=AirflowLogin(), page=page)


def make_asgi_app() -> ASGI:
    """The Flask app as ASGI."""
    from a2wsgi import WSGIMiddleware  # noqa: PLC0415

    wsgi = make_flask_app().wsgi_app

    def with_end_of_body(environ: Any, start_response: Any) -> Any:
        # a2wsgi ends the stream where the body ends but does not say so; without this a chunked
        # body would be taken for an empty one.
        return wsgi({**environ, "wsgi.input_terminated": True}, start_response)

    return WSGIMiddleware(with_end_of_body)


class DaybreakPlugin(AirflowPlugin):
    """What Airflow finds."""

    name = "daybreak"
    fastapi_apps: ClassVar[list[Any]] = [
        {"app": Mount(make_asgi_app), "url_prefix": "/daybreak", "name": "daybreak"}
    ]
    external_views: ClassVar[list[Any]] = [
        {
            "name": "Daybreak",
            "href": "/daybreak/ui",
            "destination": "nav",
            "url_route": "daybreak",
            "category": "browse",
        }
    ]
    timetables: ClassVar[list[Any]] = [NightlyTimetable]
