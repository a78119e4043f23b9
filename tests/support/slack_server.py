"""A server of Slack's Web API in this process: it keeps what is posted to channels."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import ClassVar
from urllib.parse import parse_qs


@dataclass(frozen=True)
class Post:
    """``method``: of the API. ``token``: who it was sent by. ``fields``: of its form."""

    method: str
    token: str
    fields: dict[str, str]


@dataclass
class SlackServer:
    url: str
    posts: list[Post] = field(default_factory=list)


class _Api(BaseHTTPRequestHandler):
    kept: ClassVar[list[Post]]

    def do_POST(self) -> None:
        sent = self.rfile.read(int(self.headers["Content-Length"])).decode()
        if self.headers["Content-Type"].startswith("application/json"):
            fields = {name: str(value) for name, value in json.loads(sent).items()}
        else:
            fields = {name: values[0] for name, values in parse_qs(sent).items()}
        token = self.headers.get("Authorization", "").removeprefix("Bearer ")
        self.kept.append(Post(self.path.removeprefix("/api/"), token, fields))
        answer = json.dumps({"ok": True, "channel": fields.get("channel"), "ts": "1.0"}).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, format: str, *args: object) -> None:
        """Nothing."""


@contextmanager
def slack_server() -> Iterator[SlackServer]:
    """One that answers that all went well, until the end."""
    posts: list[Post] = []
    handler = type("Api", (_Api,), {"kept": posts})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield SlackServer(f"http://127.0.0.1:{server.server_port}/api/", posts)
        finally:
            server.shutdown()
            thread.join()
