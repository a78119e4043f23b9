"""One line of JSON for each request, where that is set.

Of what a caller sent a line has the method, the id of the request and that of its trace.
"""

from __future__ import annotations

import json
import logging
import sys

from flask import g, request

from daybreak.serving.answers import Answered
from daybreak.serving.http.auth import Caller
from daybreak.serving.http.tracing import trace_id

access = logging.getLogger("daybreak.access")


def log_to_stdout() -> None:
    """Let the lines go to standard output, as they are."""
    access.addHandler(logging.StreamHandler(sys.stdout))
    access.setLevel(logging.INFO)
    access.propagate = False


def log_request(route: str, status: int, seconds: float) -> None:
    """Write the line of the request that was just answered."""
    caller: Caller | None = g.get("caller")
    answered: Answered | None = g.get("answered")
    line = {
        "request_id": g.request_id,
        "trace_id": trace_id(g.traceparent) or None,
        "caller": caller and caller.name,
        "caller_id": caller and caller.id,
        "method": request.method,
        "route": route,
        "status": status,
        "code": g.get("code"),
        "model": answered and answered.model,
        "version": answered and answered.version,
        "source": answered and answered.source,
        "latency_ms": round(seconds * 1000, 3),
    }
    access.info(json.dumps(line))
