"""The endpoint against its own OpenAPI document, and every documented status reached."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
import schemathesis
from flask import Flask, Request
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis import Case, GenerationMode
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    negative_data_rejection,
    response_schema_conformance,
    status_code_conformance,
)

from daybreak.errors import TooManyRequests, Unauthenticated, WarehouseUnavailable
from daybreak.runtime import Runtime
from daybreak.serving.app import create_app
from daybreak.serving.http.auth import Caller
from toy import DAY, ITEMS, STORES, TOY, publish_day

KEY = {"X-API-Key": "right"}
PREDICT = "/v1/models/toy/predict"
LIMIT = 5_000
CHECKS = [
    content_type_conformance,
    negative_data_rejection,
    response_schema_conformance,
    status_code_conformance,
]
Reached = dict[str, set[str]]

bounded = settings(
    max_examples=40,
    deadline=None,
    database=None,
    derandomize=True,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)


class OneKey:
    """Lets in callers with the one key, while the store of keys answers."""

    def authenticate(self, request: Request) -> Caller:
        if request.headers.get("X-API-Key") == "cannot be checked":
            raise WarehouseUnavailable("Away.", remedy="Wait.")
        if request.headers.get("X-API-Key") == "asks too often":
            raise TooManyRequests("Too often.", remedy="Wait.", retry_after=1)
        if request.headers.get("X-API-Key") != KEY["X-API-Key"]:
            raise Unauthenticated("No.", remedy="Send the key.")
        return Caller("test", "test")


@pytest.fixture
def runtime(make_runtime: Callable[..., Runtime]) -> Runtime:
    return make_runtime(refresh_seconds=1e-9, max_body_bytes=LIMIT)


@pytest.fixture
def app(runtime: Runtime) -> Flask:
    return create_app(runtime, authenticator=OneKey(), models=[TOY])


@pytest.fixture
def schema(app: Flask) -> Any:
    return schemathesis.openapi.from_wsgi("/v1/openapi.json", app, headers=KEY)


def call(case: Case, reached: Reached, **options: Any) -> None:
    """Send a case and hold the answer against the document."""
    response = case.call(**{"headers": KEY, **options})
    case.validate_response(response, checks=CHECKS)
    reached[case.operation.path].add(str(response.status_code))


known = st.fixed_dictionaries(
    {
        "store": st.sampled_from([*STORES, "S9"]),
        "item": st.sampled_from([*ITEMS, "durian"]),
        "date": st.integers(-2, 10).map(lambda days: (DAY + timedelta(days=days)).isoformat()),
    },
    optional={"price": st.none() | st.floats(0.5, 9)},
)


def test_the_document_describes_every_route(app: Flask, schema: Any) -> None:
    described = {
        (method.upper(), path)
        for path, methods in schema.raw_schema["paths"].items()
        for method in methods.keys() & {"get", "post"}
    }
    routes = {
        (method, rule.rule.replace("<name>/predict", "toy/predict").replace("<name>", "{model}"))
        for rule in app.url_map.iter_rules()
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
    }
    assert described == routes


def test_every_answer_keeps_to_the_document_and_every_status_is_reached(
    runtime: Runtime, schema: Any
) -> None:
    reached: Reached = defaultdict(set)
    predict = schema[PREDICT]["POST"]
    body = {"store": "S1", "item": "pear", "date": "2026-02-03"}

    paths = {path: next(iter(methods)) for path, methods in schema.raw_schema["paths"].items()}
    for path, method in paths.items():
        plain = schema[path][method].Case(
            path_parameters={"model": "toy"} if "{model}" in path else {},
            **({"body": body, "media_type": "application/json"} if path == PREDICT else {}),
        )
        call(plain, reached)  # nothing is published yet
        call(plain, reached, headers={})
        call(plain, reached, headers={"X-API-Key": "cannot be checked"})
        call(plain, reached, headers={"X-API-Key": "asks too often"})
    call(schema["/v1/models/{model}"]["GET"].Case(path_parameters={"model": "x"}), reached)

    publish_day(runtime)
    predictions = predict.as_strategy()
    wrong = predict.as_strategy(generation_mode=GenerationMode.NEGATIVE)

    @bounded
    @given(case=predictions | wrong)
    def any_request(case: Case) -> None:
        call(case, reached)

    @bounded
    @given(body=known)
    def known_request(body: dict[str, Any]) -> None:
        call(predict.Case(body=body, media_type="application/json"), reached)

    any_request()
    known_request()
    case = predict.Case(body=body | {"pad": "x" * LIMIT}, media_type="application/json")
    call(case, reached)
    text = predict.Case(body=body, media_type="application/json")
    call(text, reached, headers=KEY | {"Content-Type": "text/plain"})
    call(schema["/readyz"]["GET"].Case(), reached)

    documented = {
        path: set(operation["responses"])
        for path, methods in schema.raw_schema["paths"].items()
        for name, operation in methods.items()
        if name in {"get", "post"}
    }
    assert dict(reached) == documented
