"""Files of the page: the style, our scripts, and Plotly's script from its wheel.

Each is at a path of its own: nothing that a client sends is ever part of a path here.
"""

from __future__ import annotations

import gzip
import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from flask import Blueprint, Response, request

from daybreak.charts.plotly import COLOURS, DRAW, plotly_script
from daybreak.serving.http.auth import public
from daybreak.serving.turn import pass_on

YEAR = 365 * 86_400
_HERE = Path(__file__).parent / "static"
_CSS = "text/css; charset=utf-8"
_JAVASCRIPT = "text/javascript; charset=utf-8"


@dataclass(frozen=True)
class File:
    """Bytes, as they are and compressed, and what they are known by."""

    plain: bytes
    packed: bytes
    media: str
    etag: str


FILES: dict[str, tuple[Callable[[], Path], str]] = {
    "colours.css": (lambda: COLOURS, _CSS),
    "page.css": (lambda: _HERE / "page.css", _CSS),
    "page.js": (lambda: _HERE / "page.js", _JAVASCRIPT),
    "plotly.js": (plotly_script, _JAVASCRIPT),
    "draw.js": (lambda: DRAW, _JAVASCRIPT),
    "icon.svg": (lambda: _HERE / "icon.svg", "image/svg+xml"),
}


@cache
def file(name: str) -> File:
    """A file, read once a process. Raises ``KeyError``."""
    find, media = FILES[name]
    content = find().read_bytes()
    digest = hashlib.sha256(content).hexdigest()[:20]
    return File(content, gzip.compress(content, 6, mtime=0), media, digest)


def add_files(blueprint: Blueprint) -> None:
    """Serve them beneath ``blueprint``: open, as the login needs them, and for a year, as their
    addresses change with what is in them."""
    for name in FILES:
        blueprint.add_url_rule(f"/{name}", f"file_{name.replace('.', '_')}", _view(name))


def _view(name: str) -> Callable[[], Response]:
    @public
    def view() -> Response:
        pass_on()  # to compress Plotly takes a moment, once
        found = file(name)
        packs = request.accept_encodings["gzip"] > 0
        response = Response(found.packed if packs else found.plain, content_type=found.media)
        if packs:
            response.headers["Content-Encoding"] = "gzip"
        response.headers["Vary"] = "Accept-Encoding"
        response.headers["Cache-Control"] = f"public, max-age={YEAR}, immutable"
        response.set_etag(found.etag + ("-gzip" if packs else ""))
        response.make_conditional(request)
        response.headers.pop("Date", None)  # the server gives every answer one
        return response

    return view
