"""``POST /v1/models/<model>/predict``."""

from __future__ import annotations

import time

from flask import Blueprint, Response, g, request

from daybreak.serving.forms import Query, wanted
from daybreak.serving.http.auth import needs, require
from daybreak.serving.http.body import parse, read_body
from daybreak.serving.http.encoding import json_bytes
from daybreak.serving.openapi.description import described
from daybreak.serving.service import current_service

blueprint = Blueprint("predict", __name__)


@blueprint.post("/v1/models/<name>/predict")
@needs("predict")
@described("predict", "Predictions", each_model=True, query=Query, faults=(422,))
def predict(name: str) -> Response:
    """One prediction, or many at once."""
    service = current_service()
    model = service.model(name)
    body = read_body(request, service.runtime.settings.max_body_bytes)
    asked = parse(model.endpoint.request, body, many=service.many[model.name])
    beside = wanted(model, request.args)
    if beside.explain:
        require("explain")
    g.answered = answered = service.predict(model, asked, beside)
    milliseconds = round((time.perf_counter() - g.started) * 1000, 3)
    return json_bytes(b'%b,"latency_ms":%a}' % (answered.json[:-1], milliseconds))
