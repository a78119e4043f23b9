"""The endpoint against its own OpenAPI document, and every documented status reached.

``OPENAPI_CASES=5000 pytest tests/integration/serving/test_openapi.py`` sends that many.
"""

from __future__ import annotations

import base64
import hashlib
import os
import re
import socket
from collections import defaultdict
from collections.abc import Callable, Iterator
from datetime import timedelta
from functools import partial
from html.parser import HTMLParser
from typing import Any

import pytest
import schemathesis
from flask import Flask, Request
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis import Case, GenerationMode
from schemathesis.config import SchemathesisConfig

from daybreak.errors import Forbidden, TooManyRequests, Unauthenticated, WarehouseUnavailable
from daybreak.runtime import Runtime, system_clock
from daybreak.serving.app import create_app
from daybreak.serving.http.auth import Caller
from daybreak.serving.inference.forms import InferenceFailure
from daybreak.serving.schemas import Failure
from daybreak.serving.server.client import Patience
from daybreak.signals.stream import Stream, declare
from daybreak.warehouse.engine import begin
from open_routes import of_page
from reading_server import serving
from toy import DAY, ITEMS, STORES, TOY, publish_day

KEY = {"X-API-Key": "right"}
PREDICT = "/v1/models/toy/predict"
BODY = {"store": "S1", "item": "pear", "date": "2026-02-03"}
INFER = {
    "inputs": [
        {"name": name, "datatype": "BYTES", "shape": [1], "data": [value]}
        for name, value in BODY.items()
    ]
}
EVENTS = "/v1/streams/{stream}/events"
EVENT = {
    "event_id": "e",
    "event_at": system_clock().isoformat(),
    "keys": {"card": "c", "shop": "s"},
    "amounts": {"amount": 1.5},
}
BODIES: dict[str, Any] = {
    PREDICT: BODY,
    EVENTS: {"events": [EVENT]},
    "/v1/streams/{stream}/labels": {"labels": [{"event_id": "e", "fraud": True}]},
}
LATER = [*INFER["inputs"][:2], INFER["inputs"][2] | {"data": ["2027-01-01"]}]
LIMIT = 5_000
JSON = "application/json"
CSP = "Content-Security-Policy"
CASES = int(os.environ.get("OPENAPI_CASES", "120"))
# What is away is no fault of the service; a date that the schema allows may not be published.
CONFIG = {
    "generation": {"with-security-parameters": False},
    "checks": {
        "not_a_server_error": {"expected-statuses": ["2xx", "304", "4xx", "503"]},
        "positive_data_acceptance": {
            "expected-statuses": ["200", "304", "401", "403", "404", "422", "429", "503"]
        },
        "negative_data_rejection": {"expected-statuses": ["400", "404", "413"]},
    },
    # Which tensors belong together is beyond a schema.
    "operations": [
        {
            "include-path-regex": "/v2/.*/infer",
            "checks": {"positive_data_acceptance": {"enabled": False}},
        }
    ],
}
Reached = dict[tuple[str, str], set[str]]
"""By method and path."""

some = settings(
    max_examples=max(CASES // 4, 1),
    deadline=None,
    database=None,
    derandomize=True,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)
REFUSALS = {
    "cannot be checked": WarehouseUnavailable("Away.", remedy="Wait."),
    "asks too often": TooManyRequests("Too often.", remedy="Wait.", retry_after=1),
    "may not": Forbidden("Not this.", remedy="Ask for the right."),
}


class OneKey:
    """Lets in callers with the one key, while the store of keys answers."""

    def authenticate(self, request: Request) -> Caller:
        key = request.headers.get("X-API-Key", "")
        if key in REFUSALS:
            raise REFUSALS[key]
        if key != KEY["X-API-Key"]:
            raise Unauthenticated("No.", remedy="Send the key.")
        return Caller("test", "test", lambda scope, model: True)


@pytest.fixture
def runtime(make_runtime: Callable[..., Runtime]) -> Runtime:
    return make_runtime(refresh_seconds=1e-9, max_body_bytes=LIMIT)


@pytest.fixture
def app(runtime: Runtime) -> Flask:
    return create_app(runtime, authenticator=OneKey(), models=[TOY])


@pytest.fixture
def schema(app: Flask) -> Any:
    config = SchemathesisConfig.from_dict(CONFIG)
    return schemathesis.openapi.from_wsgi("/v1/openapi.json", app, config=config)


def call(case: Case, reached: Reached, headers: dict[str, str] = KEY) -> None:
    """Send a case and hold the answer against the document, by every check there is."""
    response = case.call(headers=headers)
    case.validate_response(response, headers=headers)
    reached[case.method, case.operation.path].add(str(response.status_code))


def operations(document: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Method, path and description of each."""
    for path, methods in document["paths"].items():
        for method in methods.keys() & {"get", "post"}:
            yield method.upper(), path, methods[method]


known = st.fixed_dictionaries(
    {
        "store": st.sampled_from([*STORES, "S9"]),
        "item": st.sampled_from([*ITEMS, "durian"]),
        "date": st.integers(-2, 10).map(lambda days: (DAY + timedelta(days=days)).isoformat()),
    },
    optional={"price": st.none() | st.floats(0.5, 9)},
)


def test_the_document_describes_every_route(app: Flask, schema: Any) -> None:
    described = {(method, path) for method, path, _ in operations(schema.raw_schema)}
    routes = {
        (
            method,
            rule.rule.replace("<name>/predict", "toy/predict")
            .replace("<name>", "{model}")
            .replace("<version>", "{version}")
            .replace("<stream>", "{stream}"),
        )
        for rule in app.url_map.iter_rules()
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
        if not of_page(rule.rule)
    }
    assert described == routes


def test_each_operation_has_a_name_that_a_client_can_have(schema: Any) -> None:
    found = list(operations(schema.raw_schema))
    names = [operation["operationId"] for _, _, operation in found]
    assert len(names) == len(set(names))
    assert all(re.fullmatch(r"[a-z][a-z0-9_]*", name) for name in names)
    tags = {tag["name"] for tag in schema.raw_schema["tags"]}
    assert tags == {tag for _, _, operation in found for tag in operation["tags"]}


class References(HTMLParser):
    """What a page refers to, and what of it can be referred to."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.urls: set[str] = set()
        self.ids: set[str] = set()
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        self.urls |= {given[name] or "" for name in ("href", "src", "action") if name in given}
        self.ids |= {given["id"] or ""} if "id" in given else set()
        assert tag not in {"script", "link", "img", "iframe", "form", "object"}
        assert not any(name.startswith("on") or name == "style" for name in given)


@pytest.mark.parametrize("mount", ["", "/daybreak"])
def test_the_page_needs_nothing_but_itself(app: Flask, mount: str) -> None:
    client = app.test_client()
    response = client.get("/docs", environ_overrides={"SCRIPT_NAME": mount})
    assert (response.status_code, response.mimetype) == (200, "text/html")
    found = References(response.text)
    pages = {url for url in found.urls if not url.startswith("#")}
    assert pages == {f"{mount}/v1/openapi.json"}
    for url in pages:
        assert client.get(url.removeprefix(mount)).status_code == 200
    assert {url[1:] for url in found.urls - pages} <= found.ids
    assert {"predict_toy", "ToyRequest", "ToyAnswer", "Failure"} <= found.ids

    policy = dict(one.split(" ", 1) for one in response.headers[CSP].split("; "))
    assert policy["default-src"] == "'none'"
    (style,) = re.findall(r"<style>(.*?)</style>", response.text, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    assert policy["style-src"] == f"'sha256-{digest}'"
    assert "url(" not in style


def test_every_answer_keeps_to_the_document_and_every_status_is_reached(
    runtime: Runtime, app: Flask, schema: Any
) -> None:
    reached: Reached = defaultdict(set)
    predict = schema[PREDICT]["POST"]
    with begin(runtime.engine) as conn:
        stream = Stream("payments", ("card", "shop"), ("amount",), 2, {}, "UTC")
        declare(conn, stream, runtime.clock())

    def each(version: str) -> Iterator[Case]:
        for method, path, _ in operations(schema.raw_schema):
            named = {"model": "toy", "version": version, "stream": "payments"}
            body = {"POST": BODIES.get(path, INFER)}.get(method)
            yield schema[path][method].Case(
                path_parameters={one: named[one] for one in named if f"{{{one}}}" in path},
                **({"body": body, "media_type": JSON} if body else {}),
                **({"query": dict(BODY)} if (method, path) == ("GET", PREDICT) else {}),
            )

    for case in each("1"):
        call(case, reached)  # nothing is published yet
        for key in ("", *REFUSALS):
            call(case, reached, headers={"X-API-Key": key})
    generation = publish_day(runtime)
    for case in each(generation.version):
        call(case, reached)
        if case.method == "POST":
            call(case, reached, headers=KEY | {"Content-Type": "text/plain"})
        if case.body == INFER:
            case.body = {"inputs": LATER}
            call(case, reached)
        if case.query:
            etag = case.call(headers=KEY).headers["etag"][0]
            call(case, reached, headers=KEY | {"If-None-Match": etag})
            for date in ("2027-01-01", "soon"):
                case.query = BODY | {"date": date}
                call(case, reached)
            case.query = BODY | {"item": "durian"}
            call(case, reached)
        if case.body == BODIES[EVENTS]:
            for change in ({"keys": {"card": "c"}}, {"event_at": "2020-01-01T00:00:00Z"}):
                case.body = {"events": [EVENT | change]}
                call(case, reached)
        for name in ("model", "stream"):
            if name in case.path_parameters:
                case.path_parameters[name] = "x"
                call(case, reached)
    asked = [schema[path][method] for method, path, _ in operations(schema.raw_schema)]
    modes = (GenerationMode.POSITIVE, GenerationMode.NEGATIVE)

    @some
    @given(
        case=st.one_of(
            one.as_strategy(generation_mode=mode)
            for one in asked
            if one.body or one.query
            for mode in modes
        )
    )
    def any_request(case: Case) -> None:
        if "stream" in case.path_parameters and case.meta.generation.mode is modes[0]:
            case.path_parameters["stream"] = "payments"
        call(case, reached)

    @some
    @given(body=known)
    def known_request(body: dict[str, Any]) -> None:
        call(predict.Case(body=body, media_type=JSON), reached)

    any_request()
    known_request()

    for route, statuses in refused_by_the_server(app, schema.raw_schema).items():
        reached[route] |= statuses
    documented = {
        (method, path): set(operation["responses"])
        for method, path, operation in operations(schema.raw_schema)
    }
    assert dict(reached) == documented


def refused_by_the_server(app: Flask, document: dict[str, Any]) -> Reached:
    """What the server says of each route before the app sees the request."""
    reached: Reached = defaultdict(set)
    with serving(app, body=LIMIT, waiting=0, patience=Patience(body=0.1)) as port:
        for method, path, operation in operations(document):
            begin = f"{method} {path.replace('{', '').replace('}', '')} HTTP/1.1\r\nHost: x\r\n"
            form = InferenceFailure if path.startswith("/v2") else Failure
            waits = "503" in operation["responses"]
            for ask in (
                f"{begin}Bad Name: 1\r\n\r\n",
                f"{begin}Content-Length: 10\r\n\r\nlate",
                f"{begin}Content-Length: {LIMIT + 1}\r\n\r\n",
                f"{begin}X-Long: {'x' * 20_000}\r\n\r\n",
                *([f"{begin}Content-Length: 0\r\nConnection: close\r\n\r\n"] * waits),
            ):
                with socket.create_connection(("127.0.0.1", port), timeout=20) as client:
                    client.sendall(ask.encode())
                    head, _, body = b"".join(iter(partial(client.recv, 65536), b"")).partition(
                        b"\r\n\r\n"
                    )
                form.model_validate_json(body)
                reached[method, path].add(head.split()[1].decode())
    return reached


def test_any_sequence_of_requests_keeps_to_the_document(runtime: Runtime, schema: Any) -> None:
    """By the links between operations."""
    publish_day(runtime)

    class Sequences(schema.as_state_machine()):  # type: ignore[misc]  # made from the document
        def get_call_kwargs(self, case: Case) -> dict[str, Any]:
            return {"headers": KEY}

        def validate_response(self, response: Any, case: Case, **_: Any) -> None:
            case.validate_response(response, headers=KEY)

    few = settings(some, max_examples=max(CASES // 20, 1), stateful_step_count=10)
    Sequences.run(settings=few)
