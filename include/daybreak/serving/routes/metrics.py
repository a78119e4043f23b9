"""``GET /metrics``: for Prometheus, with a key."""

from __future__ import annotations

from flask import Blueprint, Response, request
from prometheus_client.exposition import choose_encoder

from daybreak.serving.http.auth import needs
from daybreak.serving.metrics.exposition import Exposition
from daybreak.serving.openapi.description import described
from daybreak.serving.service import current_service

blueprint = Blueprint("metrics", __name__)


@blueprint.get("/metrics")
@needs("admin")
@described("get_metrics", "Operation", media="text/plain")
def metrics() -> Response:
    """All metrics, as text or OpenMetrics, whichever the caller accepts."""
    encode, content_type = choose_encoder(request.headers.get("Accept", ""))
    return Response(encode(Exposition(current_service())), content_type=content_type)
