"""After every answer: it is counted, and logged where that is set."""

from __future__ import annotations

import time

from flask import Flask, Response, request

from daybreak.serving.http.access_log import log_request
from daybreak.serving.http.current import known
from daybreak.serving.metrics.registry import NO_ROUTE, ServiceMetrics


def observe_requests(app: Flask, metrics: ServiceMetrics, *, log: bool) -> None:
    """Count each answer of ``app``, and ``log`` it."""

    @app.after_request
    def observe(response: Response) -> Response:
        here = known()
        seconds = time.perf_counter() - here.started
        rule, status = request.url_rule, response.status_code
        route = NO_ROUTE if rule is None else rule.rule
        metrics.answered(route, status, here.get("code", ""))
        if (answered := here.get("answered")) is not None:
            metrics.predicted(answered, seconds)
        if log:
            log_request(route, status, seconds)
        return response
