"""``GET /v1/openapi.json`` and ``GET /docs``: the routes, for programs and for people."""

from __future__ import annotations

from functools import lru_cache

from flask import Blueprint, Flask, Response, current_app, request

from daybreak.serving.http.auth import public
from daybreak.serving.http.encoding import encoded, json_bytes
from daybreak.serving.openapi.description import described
from daybreak.serving.openapi.document import document
from daybreak.serving.openapi.page import SECURITY_POLICY, page

blueprint = Blueprint("openapi", __name__)


@blueprint.get("/v1/openapi.json")
@public
@described("get_openapi", "Documentation")
def openapi() -> Response:
    """This document, with this mount as its server."""
    return json_bytes(_written(*_served())[0])


@blueprint.get("/docs")
@public
@described("get_docs", "Documentation", media="text/html")
def docs() -> Response:
    """This document as a page."""
    response = Response(_written(*_served())[1], content_type="text/html; charset=utf-8")
    response.headers["Content-Security-Policy"] = SECURITY_POLICY
    return response


def _served() -> tuple[Flask, str]:
    app: Flask = current_app._get_current_object()  # type: ignore[attr-defined]  # a proxy's own
    return app, request.script_root or "/"


@lru_cache(maxsize=2)
def _written(app: Flask, server: str) -> tuple[bytes, bytes]:
    """Document and page, made once: that costs milliseconds, and anybody may ask for them."""
    made = document(app, server)
    return encoded(made), page(made, server)
