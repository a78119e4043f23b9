"""HTTP requests with an API key, over a connection that is kept."""

from __future__ import annotations

import http.client
import json
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from typing import Any, Protocol

PREDICT = "/v1/models/toy/predict"


class Listening(Protocol):
    """What has a port on this machine."""

    @property
    def port(self) -> int: ...


class Caller:
    """Sends a key with every request, over one connection that is kept alive."""

    def __init__(self, connection: http.client.HTTPConnection, token: str) -> None:
        self.connection = connection
        self.headers = {"X-API-Key": token, "Content-Type": "application/json"}

    def send(
        self, method: str, path: str, body: Any = None, **options: Any
    ) -> tuple[int, dict[str, Any]]:
        data = json.dumps(body) if isinstance(body, dict) else body
        # The server may hang up before all is sent; its answer is there all the same.
        with suppress(BrokenPipeError, ConnectionResetError):
            self.connection.request(method, path, data, self.headers, **options)
        response = self.connection.getresponse()
        return response.status, json.loads(response.read())

    def ask(self, body: Mapping[str, Any]) -> Mapping[str, Any]:
        status, answer = self.send("POST", PREDICT, dict(body))
        assert status == 200, answer
        return answer


@contextmanager
def calling(server: Listening, token: str) -> Iterator[Caller]:
    with closing(http.client.HTTPConnection("127.0.0.1", server.port, timeout=30)) as connection:
        yield Caller(connection, token)
