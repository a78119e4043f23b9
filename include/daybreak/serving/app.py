"""The Flask app, made from what it is given; it connects at the first request."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from flask import Flask

from daybreak.models import get_model, model_names
from daybreak.models.base import AnyModel
from daybreak.models.offered import absent
from daybreak.runtime import Runtime
from daybreak.serving.asked import AskedRows
from daybreak.serving.decisions import Decisions
from daybreak.serving.forms import many_form
from daybreak.serving.http.auth import Authenticator, close_by_default
from daybreak.serving.http.body import limit_bodies
from daybreak.serving.http.envelope import answer_errors_as_json, trace_requests
from daybreak.serving.http.observing import observe_requests
from daybreak.serving.http.rates import Rates
from daybreak.serving.inputs import Inputs, check_reads
from daybreak.serving.moments import MomentCache
from daybreak.serving.page import views as page_views
from daybreak.serving.page.frame import Doors, Page
from daybreak.serving.publications import Publications
from daybreak.serving.routes import catalog, health, inference, metrics, openapi, predict
from daybreak.serving.routes import streams as stream_routes
from daybreak.serving.rows import RowCache
from daybreak.serving.service import Service, attach
from daybreak.serving.shadows import Shadows
from daybreak.serving.streams import Streams

NO_SESSIONS = Page()
"""The page as ``authenticator`` opens it; nothing can be done from it."""


class _App(Flask):
    """Flask that takes every view and hook for a plain function, as all of them are: to find that
    out anew takes it 25 µs a request."""

    def ensure_sync(self, func: Callable[..., Any]) -> Callable[..., Any]:
        """The function itself."""
        return func


def create_app(
    runtime: Runtime,
    *,
    authenticator: Authenticator,
    models: Iterable[AnyModel] | None = None,
    page: Page = NO_SESSIONS,
) -> Flask:
    """The service for ``models`` (default: all of them), closed by ``authenticator``, with its
    ``page`` at ``/ui``.

    Raises ``ConfigError`` where a model reads the scores of one that publishes none, or its
    requests have a field that has another meaning here.
    """
    served = {model.name: model for model in models or map(get_model, model_names())}
    check_reads(served)
    app = _App("daybreak.serving", static_folder=None)
    # A redirect would be answered outside the JSON shape, and clients drop bodies on them.
    app.url_map.strict_slashes = False
    app.url_map.merge_slashes = False

    publications = Publications(runtime, served.values())
    moments = MomentCache(
        lambda: runtime.lone_statements, runtime.clock, runtime.settings.stale_seconds
    )
    inputs = Inputs(runtime, served, publications, RowCache(runtime), moments)
    without = absent(runtime.settings.dataset)
    many = {name: many_form(model) for name, model in served.items()}
    shadows = Shadows(runtime, inputs)
    streams = Streams(runtime)
    decisions, asked = Decisions(runtime, streams), AskedRows(runtime)
    service = Service(
        runtime, served, publications, inputs, shadows, streams, decisions, asked, many, without
    )
    attach(app, service)
    limit_bodies(app, runtime.settings.max_body_bytes)
    trace_requests(app)
    observe_requests(app, service.metrics, log=runtime.settings.api_log_requests)
    if page.sessions is not None:
        authenticator = Doors(page.sessions, authenticator)
    close_by_default(app, authenticator, Rates(runtime.settings.api_rate))
    answer_errors_as_json(app, runtime.settings.max_body_bytes)
    for module in (health, catalog, predict, stream_routes, inference, openapi, metrics):
        app.register_blueprint(module.blueprint)
    page_views.attach(app, page)
    return app
