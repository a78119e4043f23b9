"""One whole request through a WSGI app (PEP 3333), to the bytes of its response."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterable
from email.utils import formatdate
from functools import lru_cache
from io import BytesIO
from typing import Any
from urllib.parse import unquote_to_bytes

from daybreak.errors import InvalidRequest
from daybreak.serving.http.body import WHOLE_BODY
from daybreak.serving.server.requests import Request

App = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]
_BODILESS = {"204", "304"}


Answer = tuple[str, list[tuple[str, str]], bytes]
"""Status line, headers and body."""


def answer_of(app: App, request: Request, server: dict[str, Any]) -> Answer:
    """What ``app`` answers. ``server``: what is in the environment of every request of the
    connection."""
    started: list[Any] = []
    written: list[bytes] = []

    def start_response(status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> Any:
        if started and exc_info is None:
            raise RuntimeError("start_response was called twice")
        started[:] = [status, headers]
        return written.append

    found = app(_environ(request, server), start_response)
    try:
        written.extend(found)
    finally:
        if (end := getattr(found, "close", None)) is not None:
            end()
    status, headers = started
    return status, headers, b"".join(written)


def response(answer: Answer, request: Request | None, *, close: bool) -> bytes:
    """An answer as it is sent; ``close``: the connection ends after it.

    It has no header Server, which helps only who attacks.
    """
    status, headers, body = answer
    lines = [f"HTTP/1.1 {status}\r\nDate: {_date(int(time.time()))}"]
    lines += [f"{name}: {value}" for name, value in headers]
    if status[:3] not in _BODILESS and not any(n.lower() == "content-length" for n, _ in headers):
        lines.append(f"Content-Length: {len(body)}")
    if close:
        lines.append("Connection: close")
    elif request is not None and request.version == "1.0":
        lines.append("Connection: keep-alive")
    whole = "\r\n".join([*lines, "\r\n"]).encode("latin-1")
    return whole if request is not None and request.method == b"HEAD" else whole + body


def _environ(request: Request, server: dict[str, Any]) -> dict[str, Any]:
    path, _, query = _origin(request.target).partition(b"?")
    environ = {
        **server,
        "wsgi.input": BytesIO(request.body),
        WHOLE_BODY: request.body,
        "REQUEST_METHOD": request.method.decode("latin-1"),
        "PATH_INFO": unquote_to_bytes(path).decode("latin-1"),
        "QUERY_STRING": query.decode("latin-1"),
        "RAW_URI": request.target.decode("latin-1"),
        "SERVER_PROTOCOL": f"HTTP/{request.version}",
        # The body is here whole, however it was sent.
        "CONTENT_LENGTH": str(len(request.body)),
    }
    for name, value in request.headers:
        key = _key(name)
        if key is None:
            continue
        text = value.decode("latin-1")
        if key in environ:
            text = f"{environ[key]}{'; ' if key == 'HTTP_COOKIE' else ','}{text}"
        environ[key] = text
    return environ


def _origin(target: bytes) -> bytes:
    """A target without scheme and host, as a proxy may send them."""
    if target.startswith(b"/") or target == b"*":
        return target
    scheme, separator, rest = target.partition(b"://")
    if not separator or scheme.lower() not in {b"http", b"https"}:
        raise InvalidRequest(
            "The address of the request is no path.",
            remedy="Send GET /v1/openapi.json for the paths.",
            field="request",
        )
    return b"/" + rest.partition(b"/")[2]


@lru_cache(maxsize=512)
def _key(name: bytes) -> str | None:
    """Of a header; None for those that the environment has otherwise or not at all.

    A name with an underscore could be taken for the one with a dash, which a balancer checks.
    """
    if name in {b"content-length", b"transfer-encoding"} or b"_" in name:
        return None
    key = name.decode("latin-1").upper().replace("-", "_")
    return key if key == "CONTENT_TYPE" else f"HTTP_{key}"


@lru_cache(maxsize=2)
def _date(second: int) -> str:
    return formatdate(second, usegmt=True)


def server_environ(host: str, port: int, peer: str) -> dict[str, Any]:
    """What the environments of all requests of a connection share; ``peer``: its address."""
    return {
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": "http",
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": True,
        "wsgi.multiprocess": True,
        "wsgi.run_once": False,
        "wsgi.input_terminated": True,
        "SCRIPT_NAME": "",
        "SERVER_NAME": host,
        "SERVER_PORT": str(port),
        "REMOTE_ADDR": peer,
    }
