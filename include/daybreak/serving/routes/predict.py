"""``/v1/models/<model>/predict``: by a body, or by the address alone."""

from __future__ import annotations

import hashlib
import time

from flask import Blueprint, Response

from daybreak.errors import MethodNotAllowed
from daybreak.serving.address import asked_by_address
from daybreak.serving.forms import Query, expect_few, records, wanted
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
        if model.decides:
            expect_few(asked)
    if model.decides and records(asked):
        require("events")
    here.answered = answered = service.predict(model, asked, beside, here.started)
    milliseconds = round((time.perf_counter() - here.started) * 1000, 3)
    return json_bytes(b'%b,"latency_ms":%a}' % (answered.json[:-1], milliseconds))


@blueprint.get("/v1/models/<name>/predict")
@needs("predict")
@described("look_up", "Predictions", each_model=True, by_address=True, faults=(422,))
def look_up(name: str) -> Response:
    """One prediction by its address, which a cache may keep and ask about."""
    service, request, here = current_service(), current_request(), known()
    model = service.model(name)
    if model.decides:
        raise MethodNotAllowed(
            f"{name} decides about events, which are sent in a body.",
            remedy=f"POST /v1/models/{name}/predict asks for a decision.",
            method=request.method,
            allow="POST",
        )
    asked = asked_by_address(model.endpoint.request, request.args)
    here.answered = answered = service.predict(model, asked)
    response = json_bytes(answered.json)
    # A rollback may come at any moment, so it is asked about each time; the same bytes are the
    # same answer, since nothing in it is of the request.
    response.headers["Cache-Control"] = "private, no-cache"
    response.set_etag(hashlib.sha256(answered.json).hexdigest()[:32])
    response.make_conditional(request)
    return response
