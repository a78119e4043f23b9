"""Attacks on the endpoint as it runs in production, each with the one answer that it gets."""

from __future__ import annotations

import json
import socket
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from http import HTTPMethod
from typing import Any

import pytest

from daybreak.runtime import Runtime
from daybreak.serving.app import create_app
from daybreak.serving.http.envelope import HEADERS
from daybreak.serving.http.keys import create_key, revoke_key
from daybreak.settings import Settings
from daybreak.warehouse.engine import begin
from daybreak.warehouse.tables import WRITER_ROLE
from gunicorn_server import Server, gunicorn
from open_routes import of_page, open_paths
from toy import TOY, publish_day

pytestmark = pytest.mark.slow

NOW = datetime(2026, 2, 1, tzinfo=UTC)
PREDICT = "/v1/models/toy/predict"
BODY = '{"store": "S1", "item": "pear", "date": "2026-02-03"}'
METHODS = [method for method in HTTPMethod if method != "CONNECT"]  # which names no path


@dataclass(frozen=True)
class Keys:
    """Tokens: one that opens what reads, and some that open less."""

    good: str
    events: str
    revoked: str
    expired: str


@dataclass(frozen=True)
class Answer:
    """What came back."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def code(self) -> str | None:
        """Of the error, in the one shape that all have; None where there is none, or no body."""
        return json.loads(self.body)["error"]["code"] if self.status >= 400 and self.body else None


@dataclass(frozen=True)
class Target:
    """A server with a published day, and keys of all kinds."""

    server: Server
    keys: Keys

    def send(self, sent: bytes) -> Answer:
        """The one answer to what is sent on one connection, which the server then ends."""
        received = b""
        with closing(socket.create_connection(("127.0.0.1", self.server.port), 30)) as sock:
            with suppress(ConnectionError):  # it may hang up before it has read all
                sock.sendall(sent)
            while data := sock.recv(65_536):
                received += data
        head, _, body = received.partition(b"\r\n\r\n")
        first, *lines = head.decode("latin-1").split("\r\n")
        headers = dict(line.split(": ", 1) for line in lines)
        assert len(lines) == len(headers), "no header comes twice"
        length = 0 if sent.startswith(b"HEAD") else int(headers["Content-Length"])
        assert len(body) == length, "there is one answer"
        return Answer(int(first.split()[1]), headers, body)


@pytest.fixture(scope="module")
def target(postgres: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Target]:
    folder = tmp_path_factory.mktemp("attacks")
    with postgres.database("warehouse_template") as name:
        url = postgres.url(name, user=WRITER_ROLE)
        runtime = Runtime(Settings(home=folder / "home", warehouse_url=url))
        publish_day(runtime)
        past = NOW - timedelta(days=1)
        with begin(runtime.engine) as conn:
            revoked = create_key(conn, "revoked", NOW)
            revoke_key(conn, revoked.key_id, NOW)
            keys = Keys(
                create_key(conn, "good", NOW).token,
                create_key(conn, "events", NOW, scopes=["events"]).token,
                revoked.token,
                create_key(conn, "expired", past, expires_at=NOW).token,
            )
        with gunicorn(runtime, folder) as server:
            yield Target(server, keys)
        runtime.engine.dispose()


def http(
    method: str, path: str, *headers: str, key: str | None = None, body: str | None = None
) -> bytes:
    """A request; only what is under attack in it is not as it should be."""
    lines = [f"{method} {path} HTTP/1.1", "Host: daybreak", "Connection: close", *headers]
    if key is not None:
        lines.append(f"X-API-Key: {key}")
    if body is not None:
        lines += [f"Content-Length: {len(body.encode())}", "Content-Type: application/json"]
    return "\r\n".join([*lines, "", body or ""]).encode()


def ask(*headers: str, key: str | None = None, body: str = BODY, path: str = PREDICT) -> bytes:
    return http("POST", path, *headers, key=key, body=body)


def get(path: str, *headers: str, key: str | None = None) -> bytes:
    return http("GET", path, *headers, key=key)


def framed(*headers: str, key: str, body: str) -> bytes:
    """A prediction whose length is said by ``headers`` alone."""
    lines = [f"POST {PREDICT} HTTP/1.1", "Host: daybreak", f"X-API-Key: {key}"]
    lines += ["Content-Type: application/json", *headers]
    return "\r\n".join([*lines, "", body]).encode()


SMUGGLED = "GET /v1/models HTTP/1.1\r\nHost: daybreak\r\n\r\n"
Attack = Callable[[Keys], bytes]
ATTACKS: dict[str, tuple[int, str | None, Attack]] = {
    # Who is calling
    "no key": (401, "unauthenticated", lambda k: ask()),
    "two keys": (401, "unauthenticated", lambda k: ask(f"X-API-Key: {k.good}", key=k.good)),
    "a bad key before a good one": (
        401,
        "unauthenticated",
        lambda k: ask(f"Authorization: Bearer {k.revoked}", key=k.good),
    ),
    "a key in the query": (
        401,
        "unauthenticated",
        lambda k: ask(path=f"{PREDICT}?api_key={k.good}&X-API-Key={k.good}"),
    ),
    "a key in a cookie": (
        401,
        "unauthenticated",
        lambda k: ask(f"Cookie: X-API-Key={k.good}; _token={k.good}"),
    ),
    "another scheme": (401, "unauthenticated", lambda k: ask(f"Authorization: Basic {k.good}")),
    "a key in capitals": (401, "unauthenticated", lambda k: ask(key=k.good.upper())),
    "a key with full-width digits": (
        401,
        "unauthenticated",
        lambda k: ask(key=k.good.translate({ord("0") + n: 0xFF10 + n for n in range(10)})),
    ),
    "a header with an underscore": (401, "unauthenticated", lambda k: ask(f"X_API_Key: {k.good}")),
    "a key with NUL": (400, "invalid_request", lambda k: ask(key=f"{k.good}\x00")),
    "a key of SQL": (401, "unauthenticated", lambda k: ask(key="' OR ''='")),
    "a revoked key": (401, "unauthenticated", lambda k: ask(key=k.revoked)),
    "an expired key": (401, "unauthenticated", lambda k: ask(key=k.expired)),
    "a secret of another key": (
        401,
        "unauthenticated",
        lambda k: ask(key=f"{k.events[:16]}_{k.good[17:]}"),
    ),
    "a key without the scope": (403, "forbidden", lambda k: ask(key=k.events)),
    # Which route it is
    "SQL in the name of a model": (
        404,
        "not_found",
        lambda k: get("/v1/models/toy'%20OR%20'1'='1';--", key=k.good),
    ),
    "a file by dots": (
        404,
        "not_found",
        lambda k: get("/v1/models/../../../../etc/passwd", key=k.good),
    ),
    "a file by written dots": (
        404,
        "not_found",
        lambda k: get("/v1/models/%2e%2e%2f%2e%2e%2fetc%2fpasswd", key=k.good),
    ),
    "overlong UTF-8": (404, "not_found", lambda k: get("/v1/models/%c0%ae%c0%ae", key=k.good)),
    "NUL in a path": (404, "not_found", lambda k: get("/v1/models/toy%00", key=k.good)),
    "a letter that looks alike": (
        404,
        "not_found",
        lambda k: get("/v1/models/t%D0%BEy", key=k.good),
    ),
    "a closed route by way of an open one": (
        401,
        "unauthenticated",
        lambda k: get("/healthz/../v1/models"),
    ),
    "a closed route with two slashes": (401, "unauthenticated", lambda k: get("//v1/models")),
    "a closed route in capitals": (401, "unauthenticated", lambda k: get("/V1/MODELS")),
    "another address in a header": (
        401,
        "unauthenticated",
        lambda k: get("/v1/models", "X-Original-URL: /healthz", "X-Rewrite-URL: /healthz"),
    ),
    "a caller from within": (
        401,
        "unauthenticated",
        lambda k: get("/v1/models", "X-Forwarded-For: 127.0.0.1", "X-Real-IP: 127.0.0.1"),
    ),
    "another method in a header": (
        405,
        "method_not_allowed",
        lambda k: http(
            "POST",
            "/v1/models",
            "X-HTTP-Method-Override: GET",
            "X-Method-Override: GET",
            key=k.good,
        ),
    ),
    "HEAD of a closed route": (401, None, lambda k: http("HEAD", "/v1/models")),
    "OPTIONS of a closed route": (
        401,
        "unauthenticated",
        lambda k: http("OPTIONS", PREDICT),
    ),
    "TRACE": (405, "method_not_allowed", lambda k: http("TRACE", PREDICT, key=k.good)),
    "a tunnel": (400, "invalid_request", lambda k: http("CONNECT", "10.0.0.1:22", key=k.good)),
    "a preflight": (
        401,
        "unauthenticated",
        lambda k: http(
            "OPTIONS",
            PREDICT,
            "Origin: http://evil.example",
            "Access-Control-Request-Method: POST",
            "Access-Control-Request-Headers: X-API-Key",
        ),
    ),
    # What HTTP is
    "a header that is too long": (
        431,
        "headers_too_large",
        lambda k: ask(f"X-Long: {'x' * 20_000}", key=k.good),
    ),
    "an address that is too long": (
        431,
        "headers_too_large",
        lambda k: get(f"/v1/models/{'x' * 5_000}", key=k.good),
    ),
    "a body that is too long": (
        413,
        "request_too_large",
        lambda k: ask(key=k.good, body=" " * (Settings().max_body_bytes + 1)),
    ),
    "a length and chunks": (
        400,
        "invalid_request",
        lambda k: framed(
            "Content-Length: 5",
            "Transfer-Encoding: chunked",
            key=k.good,
            body=f"0\r\n\r\n{SMUGGLED}",
        ),
    ),
    "two lengths": (
        400,
        "invalid_request",
        lambda k: framed(
            "Content-Length: 2", "Content-Length: 60", key=k.good, body=f"{{}}{SMUGGLED}"
        ),
    ),
    "chunks by another name": (
        400,
        "invalid_request",
        lambda k: framed("Transfer-Encoding: xchunked", key=k.good, body=f"0\r\n\r\n{SMUGGLED}"),
    ),
    "a space before a colon": (
        400,
        "invalid_request",
        lambda k: framed("Content-Length : 2", key=k.good, body=f"{{}}{SMUGGLED}"),
    ),
    "a header in a path": (
        404,
        "not_found",
        lambda k: get("/v1/models/x%0d%0aSet-Cookie:%20a=b", key=k.good),
    ),
    "another protocol": (
        400,
        "invalid_request",
        lambda k: b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    ),
    # What is asked
    "a name given twice": (
        400,
        "invalid_request",
        lambda k: ask(key=k.good, body=BODY[:-1] + ', "item": "apple"}'),
    ),
    "deep nesting": (
        400,
        "invalid_request",
        lambda k: ask(key=k.good, body='{"store": ' + "[" * 30_000 + "]" * 30_000 + "}"),
    ),
    "a number beyond all": (
        400,
        "invalid_request",
        lambda k: ask(key=k.good, body=BODY[:-1] + ', "price": 1e999}'),
    ),
    "a number of many digits": (
        400,
        "invalid_request",
        lambda k: ask(key=k.good, body=BODY[:-1] + f', "price": {"9" * 60_000}}}'),
    ),
    "half a surrogate": (
        400,
        "invalid_request",
        lambda k: ask(key=k.good, body=BODY.replace("pear", "\\ud800")),
    ),
    "SQL in an item": (
        404,
        "not_found",
        lambda k: ask(key=k.good, body=BODY.replace("pear", "'; DROP TABLE ops.api_key; --")),
    ),
    "a form of a page": (
        415,
        "unsupported_media_type",
        lambda k: framed(
            f"Content-Length: {len(BODY)}", "Connection: close", key=k.good, body=BODY
        ).replace(b"application/json", b"text/plain"),
    ),
}


@pytest.mark.parametrize("name", ATTACKS)
def test_an_attack_gets_its_answer_and_nothing_secret(target: Target, name: str) -> None:
    status, code, attack = ATTACKS[name]
    answer = target.send(attack(target.keys))
    assert (answer.status, answer.code) == (status, code), answer.body[:500]
    assert answer.headers.items() >= dict(HEADERS).items()
    assert not answer.headers.keys() & {"Server", "Access-Control-Allow-Origin", "Set-Cookie"}
    said = str(answer) + target.server.log.read_text()
    for token in vars(target.keys).values():
        assert token.rpartition("_")[2] not in said
    assert "Traceback" not in said


def test_what_is_attacked_answers_who_may_ask(target: Target) -> None:
    """Otherwise the refusals would say nothing, and no attack may have broken anything."""
    answer = target.send(ask(key=target.keys.good))
    assert answer.status == 200, answer.body
    assert json.loads(answer.body)["source"] == "published"


def test_every_route_refuses_who_has_no_key_and_whose_key_lacks_the_scope(target: Target) -> None:
    app = create_app(Runtime(Settings()), authenticator=None, models=[TOY])  # type: ignore[arg-type]  # unused
    version = json.loads(target.send(ask(key=target.keys.good)).body)["version"]
    listed: dict[str, set[str]] = defaultdict(set)
    for rule in app.url_map.iter_rules():
        path = rule.rule.replace("<name>", "toy").replace("<version>", version)
        listed[path] |= rule.methods or set()
    public = open_paths(name="toy", version=version)
    assert listed.keys() > {PREDICT, *public}
    for path, methods in listed.items():
        lacking = target.keys.good if path.startswith("/v1/streams/") else target.keys.events
        for method in METHODS if path not in public else ["GET"]:
            if of_page(path) and (method == "POST" or method not in methods):
                continue  # forms, and pages that are not: test_page_safety.py
            answers = [target.send(http(method, path, key=key)).status for key in (None, lacking)]
            refused = [401, 403 if method in methods else 405]
            assert answers == ([200, 200] if path in public else refused), (method, path)
