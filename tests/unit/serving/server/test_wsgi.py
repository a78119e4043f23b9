"""What an app is given, and what becomes of its answer."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import pytest

from daybreak.errors import InvalidRequest
from daybreak.serving.server.requests import Header, Request
from daybreak.serving.server.wsgi import answer_of, response, server_environ

SERVER = server_environ("127.0.0.1", 8793, "10.0.0.9")
App = Callable[..., Iterable[bytes]]


def request(
    method: bytes = b"GET",
    target: bytes = b"/",
    headers: list[Header] | None = None,
    body: bytes = b"",
    version: str = "1.1",
) -> Request:
    return Request(method, target, headers or [], body, version, keep_alive=True)


def environ(asked: Request) -> dict[str, Any]:
    seen: dict[str, Any] = {}

    def app(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        seen.update(environ)
        start_response("200 OK", [])
        return [b"ok"]

    answer_of(app, asked, SERVER)
    return seen


def test_an_address_is_split_and_decoded() -> None:
    found = environ(request(target=b"/v1/models/a%2Fb%C3%BC?x=%20&y"))
    assert found["PATH_INFO"].encode("latin-1").decode() == "/v1/models/a/bü"
    assert found["QUERY_STRING"] == "x=%20&y"
    assert environ(request(target=b"http://shop.example/v1?x"))["PATH_INFO"] == "/v1"
    assert environ(request(b"OPTIONS", b"*"))["PATH_INFO"] == "*"
    with pytest.raises(InvalidRequest):
        environ(request(target=b"ftp://shop.example/v1"))


def test_headers_are_joined_and_none_stands_for_another() -> None:
    headers = [
        (b"x-api-key", b"dbk_1"),
        (b"x_api_key", b"forged"),
        (b"accept", b"a"),
        (b"accept", b"b"),
        (b"cookie", b"a=1"),
        (b"cookie", b"b=2"),
        (b"content-type", b"application/json"),
        (b"transfer-encoding", b"chunked"),
    ]
    found = environ(request(b"POST", headers=headers, body=b"{}"))
    assert found["HTTP_X_API_KEY"] == "dbk_1"
    assert found["HTTP_ACCEPT"] == "a,b"
    assert found["HTTP_COOKIE"] == "a=1; b=2"
    assert (found["CONTENT_TYPE"], found["CONTENT_LENGTH"]) == ("application/json", "2")
    assert "HTTP_TRANSFER_ENCODING" not in found
    assert found["wsgi.input"].read() == b"{}"
    assert found["REMOTE_ADDR"] == "10.0.0.9"


def answering(status: str, *headers: tuple[str, str], body: bytes = b"") -> App:
    def app(_environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        start_response(status, list(headers))(body[:1])
        yield body[1:]

    return app


def lines(asked: Request, app: App, *, close: bool = False) -> tuple[list[str], bytes]:
    whole = response(answer_of(app, asked, SERVER), asked, close=close)
    head, _, body = whole.partition(b"\r\n\r\n")
    return [line for line in head.decode().split("\r\n") if not line.startswith("Date: ")], body


def test_an_answer_has_a_length_and_says_whether_the_connection_ends() -> None:
    app = answering("200 OK", ("X-A", "b"), body=b"abc")
    assert lines(request(), app) == (["HTTP/1.1 200 OK", "X-A: b", "Content-Length: 3"], b"abc")
    assert lines(request(), app, close=True)[0][-1] == "Connection: close"
    assert lines(request(version="1.0"), app)[0][-1] == "Connection: keep-alive"
    assert lines(request(b"HEAD"), app) == (lines(request(), app)[0], b"")
    assert lines(request(), answering("204 No Content")) == (["HTTP/1.1 204 No Content"], b"")
    given = answering("200 OK", ("content-length", "3"), body=b"abc")
    assert lines(request(), given)[0] == ["HTTP/1.1 200 OK", "content-length: 3"]


def test_what_an_app_opened_is_closed_also_where_it_fails() -> None:
    class Opened(list[bytes]):
        closed = 0

        def close(self) -> None:
            self.closed += 1

        def __iter__(self) -> Any:
            yield b""
            raise OSError

    opened = Opened()

    def app(_environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        start_response("200 OK", [])
        return opened

    with pytest.raises(OSError):  # noqa: PT011 (the one above)
        answer_of(app, request(), SERVER)
    assert opened.closed == 1


def test_an_app_may_think_again_only_of_an_error() -> None:
    def twice(_environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        start_response("200 OK", [])
        start_response("500 No", [], (None, None, None))
        return [b""]

    assert lines(request(), twice)[0][0] == "HTTP/1.1 500 No"

    def again(_environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        start_response("200 OK", [])
        start_response("201 Created", [])
        return [b""]

    with pytest.raises(RuntimeError, match="twice"):
        answer_of(again, request(), SERVER)
