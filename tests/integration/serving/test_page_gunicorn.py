"""The page on the server as it runs in production: a session holds in every worker."""

from __future__ import annotations

import gzip
import http.client
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
from sqlalchemy import Engine

from daybreak.runtime import Runtime
from daybreak.warehouse.engine import begin
from gunicorn_server import gunicorn
from page_app import key_of
from report_days import MODEL, champion, fill, march, version

pytestmark = pytest.mark.slow


def test_a_session_holds_in_every_worker(
    make_runtime: Callable[..., Runtime], warehouse: Engine, warehouse_url: str, tmp_path: Path
) -> None:
    runtime = make_runtime(refresh_seconds=0.2)
    with begin(warehouse) as conn:
        fill(conn)
        version(conn, "v2")
        champion(conn, "v1", march(2), "again")
    env = {"DAYBREAK_WAREHOUSE_READER_URL": warehouse_url, "DAYBREAK_API_WORKERS": "2"}
    with gunicorn(runtime, tmp_path, app="daybreak.platform.wsgi:app", env=env) as server:

        def send(
            method: str, path: str, body: dict[str, str] | None = None, **headers: str
        ) -> tuple[int, http.client.HTTPMessage, bytes]:
            # Each over a connection of its own, which any worker may take.
            with closing(http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)) as sent:
                typed = {"Content-Type": "application/x-www-form-urlencoded"} if body else {}
                sent.request(method, path, body and urlencode(body), typed | headers)
                answer = sent.getresponse()
                return answer.status, answer.headers, answer.read()

        here: dict[str, Any] = {"Origin": server.url}
        key = key_of(runtime, "admin")
        status, headers, _ = send("POST", "/ui/login", {"key": key, "back": "models"}, **here)
        assert (status, headers["Location"]) == (303, "models")
        cookie = {"Cookie": headers["Set-Cookie"].partition(";")[0]}
        for _ in range(12):
            status, headers, page = send("GET", f"/ui/models?model={MODEL}", **cookie)
            assert (status, b"put in force" in page) == (200, True)
            assert len(headers.get_all("Date") or ()) == 1
        assert len(server.workers) == 2

        form = {"model": MODEL, "version": "v2", "reason": "as the server has it"}
        assert send("POST", "/ui/promote", form, **cookie)[0] == 403
        assert send("POST", "/ui/promote", form, **cookie, **here)[0] == 303
        assert b"as the server has it" in send("GET", f"/ui/models?model={MODEL}", **cookie)[2]

        status, headers, packed = send("GET", "/ui/plotly.js", **{"Accept-Encoding": "gzip"})
        assert (status, headers["Content-Encoding"]) == (200, "gzip")
        assert b"plotly.js" in gzip.decompress(packed)[:300]
        tagged = {"Accept-Encoding": "gzip", "If-None-Match": headers["ETag"]}
        assert send("GET", "/ui/plotly.js", **tagged)[::2] == (304, b"")
