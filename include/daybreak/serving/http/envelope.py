"""Around every answer: a request id, headers, and one JSON shape for every error."""

from __future__ import annotations

import logging
import re
import secrets
import time
from typing import Any

from flask import Flask, Response, g, request
from werkzeug.exceptions import HTTPException

from daybreak.errors import (
    DaybreakError,
    InvalidRequest,
    MethodNotAllowed,
    NotFound,
    Unauthenticated,
    UnsupportedMediaType,
)
from daybreak.serving.http.body import too_large
from daybreak.serving.http.current import known
from daybreak.serving.http.encoding import json_response
from daybreak.serving.http.failures import failure
from daybreak.serving.http.tracing import valid_traceparent

logger = logging.getLogger(__name__)
_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")

HEADERS = (
    ("Cache-Control", "no-store"),
    ("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'"),
    ("Cross-Origin-Resource-Policy", "same-origin"),
    ("Referrer-Policy", "no-referrer"),
    ("X-Content-Type-Options", "nosniff"),
)
"""Of every answer that has no other: it is data, nothing for a browser to show or to keep."""


def request_id(given: str) -> str:
    """The id that a client gave its request, if it may stand in a log, else a new one."""
    return given if _REQUEST_ID.fullmatch(given) else secrets.token_hex(16)


def trace_requests(app: Flask) -> None:
    """Start the request's clock, take over or make its id, and send it back with each answer,
    beside ``HEADERS`` and a valid ``traceparent``."""

    @app.before_request
    def begin() -> None:
        here, environ = known(), request.environ
        here.started = time.perf_counter()
        here.request_id = request_id(environ.get("HTTP_X_REQUEST_ID", ""))
        here.traceparent = valid_traceparent(environ.get("HTTP_TRACEPARENT", ""))

    @app.after_request
    def finish(response: Response) -> Response:
        here = known()
        response.headers.add("X-Request-ID", here.request_id)
        if here.traceparent:
            response.headers.add("traceparent", here.traceparent)
        return response

    inner = app.wsgi_app

    def wsgi_app(environ: Any, start_response: Any) -> Any:
        def start(status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> Any:
            given = {name for name, _ in headers}
            more = [header for header in HEADERS if header[0] not in given]
            return start_response(status, headers + more, exc_info)

        return inner(environ, start)

    # Not by response.headers, which looks at each value for an end of line, at 0.5 µs a header.
    app.wsgi_app = wsgi_app  # type: ignore[method-assign]  # as Flask's documentation does it


def answer_errors_as_json(app: Flask, max_body_bytes: int) -> None:
    """Turn every exception into ``DaybreakError.as_json``; a 500 says nothing of the inside."""

    @app.errorhandler(DaybreakError)
    def expected(error: DaybreakError) -> Response:
        if error.status == 500:
            return unexpected(error)
        g.code = error.code
        response = json_response(failure(error, request.path), error.status)
        if isinstance(error, Unauthenticated):
            response.headers["WWW-Authenticate"] = 'Bearer realm="daybreak"'
        if "retry_after" in error.details:
            response.headers["Retry-After"] = str(error.details["retry_after"])
        if "allow" in error.details:
            response.headers["Allow"] = error.details["allow"]
        if "accept_encoding" in error.details:
            response.headers["Accept-Encoding"] = error.details["accept_encoding"]
        return response

    @app.errorhandler(HTTPException)
    def http(error: HTTPException) -> Response:
        response = expected(_translated(error, max_body_bytes))
        allow = error.get_response().headers.get("Allow")
        if allow:
            response.headers["Allow"] = allow
        return response

    @app.errorhandler(Exception)
    def unexpected(error: Exception) -> Response:
        logger.error("request %s failed", g.request_id, exc_info=error)
        hidden = DaybreakError(
            "The service failed to answer this request.",
            remedy="Nothing is wrong with the request; its id finds the cause in the log.",
            request_id=g.request_id,
        )
        g.code = hidden.code
        return json_response(failure(hidden, request.path), hidden.status)


def _translated(error: HTTPException, max_body_bytes: int) -> DaybreakError:
    match error.code:
        case 404:
            return NotFound(
                "There is no such page.",
                remedy="GET /v1/openapi.json lists every route.",
                path=request.path,
            )
        case 405:
            return MethodNotAllowed(
                f"This route does not answer {request.method}.",
                remedy="The header Allow lists the methods that it answers.",
                method=request.method,
            )
        case 413:
            return too_large(max_body_bytes)
        case 415:
            return UnsupportedMediaType(error.description or "The media type is not supported.")
        case code if code is not None and 400 <= code < 500:
            return InvalidRequest(
                "The request is not valid HTTP for this route.",
                remedy="GET /v1/openapi.json shows what each route takes.",
            )
    return DaybreakError(str(error))
