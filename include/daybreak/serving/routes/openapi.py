"""``GET /v1/openapi.json``: the routes, made from the forms that parse requests and answers."""

from __future__ import annotations

from functools import lru_cache

from flask import Blueprint, Flask, Response, current_app, request

from daybreak.serving.http.auth import public
from daybreak.serving.http.encoding import encoded, json_bytes
from daybreak.serving.openapi.description import described
from daybreak.serving.openapi.document import document

blueprint = Blueprint("openapi", __name__)


@blueprint.get("/v1/openapi.json")
@public
@described("get_openapi", "Documentation")
def openapi() -> Response:
    """This document, with this mount as its server."""
    app: Flask = current_app._get_current_object()  # type: ignore[attr-defined]  # a proxy's own
    return json_bytes(_written(app, request.script_root or "/"))


@lru_cache(maxsize=2)
def _written(app: Flask, server: str) -> bytes:
    """Made once: it costs milliseconds, and anybody may ask for it."""
    return encoded(document(app, server))
