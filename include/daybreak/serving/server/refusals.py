"""Answers that no app made: what is refused before it sees it, and that the process lives."""

from __future__ import annotations

import json
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from daybreak.errors import DaybreakError, Overloaded
from daybreak.serving.http.envelope import HEADERS, request_id
from daybreak.serving.http.failures import failure
from daybreak.serving.http.tracing import valid_traceparent
from daybreak.serving.server.requests import Request
from daybreak.serving.server.wsgi import response

FAILED = DaybreakError("The service failed to answer this request.", remedy="Its log says why.")
OVERLOADED = Overloaded(
    "More requests wait than can be answered in time.",
    remedy="Try again after the seconds that Retry-After says.",
    retry_after=1,
)


def refusal(
    error: DaybreakError, request: Request | None, *, close: bool, target: bytes = b""
) -> bytes:
    """The response that says an error, in the shape that errors of its ``target`` have.

    ``request``: that it answers, where one could be read. ``close``: the connection ends with it.
    """
    seconds = error.details.get("retry_after")
    more = {} if seconds is None else {"Retry-After": str(seconds)}
    path = (request.target if request else target).decode("latin-1").partition("?")[0]
    return answer(failure(error, path), request, status=error.status, close=close, more=more)


def answer(
    value: Mapping[str, Any],
    request: Request | None,
    *,
    close: bool,
    status: int = 200,
    more: Mapping[str, str] | None = None,
) -> bytes:
    """A JSON response with the headers that all have, and ``more``."""
    headers = {
        "Content-Type": "application/json",
        "X-Request-ID": request_id(_given(request, b"x-request-id")),
        **dict(HEADERS),
        **(more or {}),
    }
    if traceparent := valid_traceparent(_given(request, b"traceparent")):
        headers["traceparent"] = traceparent
    body = json.dumps(value, separators=(",", ":")).encode()
    line = f"{status} {HTTPStatus(status).phrase}"
    return response((line, list(headers.items()), body), request, close=close)


def _given(request: Request | None, header: bytes) -> str:
    return request.header(header).decode("latin-1") if request else ""
