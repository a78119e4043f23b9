"""``POST /v1/models/<model>/predict``."""

from __future__ import annotations

import time

from flask import Blueprint, Response

from daybreak.serving.forms import Query, wanted
from daybreak.serving.http.auth import needs, require
from daybreak.serving.http.body import parse, read_body
from daybreak.serving.http.current import current_request, known
from daybreak.serving.http.encoding import json_bytes
from daybreak.serving.openapi.description import described
from daybreak.serving.service import current_service

blueprint = Blueprint("predict", __name__)


@blueprint.post("/v1/models/<name>/predict")
@needs("predict")
@described("predict", "Predictions", each_model=True, query=Query, faults=(422,))
def predict(name: str) -> Response:
    """One prediction, or many at once."""
    service, request, here = current_service(), current_request(), known()
    model = service.model(name)
    body = read_body(request, service.runtime.settings.max_body_bytes)
    asked = parse(model.endpoint.request, body, many=service.many[model.name])
    beside = wanted(model, request)
    if beside.explain:
        require("explain")
    here.answered = answered = service.predict(model, asked, beside)
    milliseconds = round((time.perf_counter() - here.started) * 1000, 3)
    return json_bytes(b'%b,"latency_ms":%a}' % (answered.json[:-1], milliseconds))
