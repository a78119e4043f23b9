"""What the schema of a request allows is taken, and nothing else, for every model that ships.

There is no warehouse: a request that was taken is answered with 503, one that was not with 400.
"""

from __future__ import annotations

import json
import os
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from jsonschema import Draft202012Validator
from schemathesis import Case, GenerationMode
from schemathesis.config import SchemathesisConfig
from schemathesis.specs.openapi.checks import negative_data_rejection

from anybody import Anybody
from daybreak.errors import InvalidRequest
from daybreak.models import get_model, model_names
from daybreak.runtime import Runtime
from daybreak.serving.app import create_app
from daybreak.serving.http.body import parse
from daybreak.serving.openapi.forms import request_schema
from daybreak.settings import Settings

NOWHERE = "postgresql://someone@127.0.0.1:1/nowhere"
CASES = int(os.environ.get("OPENAPI_CASES", "120"))
CONFIG = {
    "generation": {"with-security-parameters": False},
    "checks": {"negative_data_rejection": {"expected-statuses": ["400"]}},
}

some = settings(
    max_examples=max(CASES // 10, 1),
    deadline=None,
    database=None,
    derandomize=True,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)


@pytest.mark.slow
@pytest.mark.parametrize("name", model_names())
def test_schema_and_parser_agree(name: str, tmp_path: Path) -> None:
    runtime = Runtime(Settings(home=tmp_path, warehouse_url=NOWHERE, refresh_seconds=3600))
    app = create_app(runtime, authenticator=Anybody())
    config = SchemathesisConfig.from_dict(CONFIG)
    schema = schemathesis.openapi.from_wsgi("/v1/openapi.json", app, config=config)
    predict = schema[f"/v1/models/{name}/predict"]["POST"]

    @some
    @given(case=predict.as_strategy(generation_mode=GenerationMode.POSITIVE))
    def allowed(case: Case) -> None:
        response = case.call()
        assert response.status_code == 503, response.text

    @some
    @given(case=predict.as_strategy(generation_mode=GenerationMode.NEGATIVE))
    def not_allowed(case: Case) -> None:
        case.validate_response(case.call(), checks=[negative_data_rejection])

    allowed()
    not_allowed()


@pytest.mark.parametrize("name", model_names())
def test_the_largest_field_that_a_schema_allows_fits_into_a_body(name: str) -> None:
    endpoint = get_model(name).endpoint
    schema = request_schema(endpoint.request)
    checked = Draft202012Validator(schema)
    example = dict(next(iter(endpoint.examples.values())).request)
    taken = set()
    for field, said in schema["properties"].items():
        body = example | {field: largest(said)}
        sent = json.dumps(body).encode()
        assert len(sent) <= Settings.model_fields["max_body_bytes"].default, field
        if checked.is_valid(body):  # not beside another field that says the same
            parse(endpoint.request, sent)
            taken.add(field)
    assert taken >= example.keys()


LEAST: dict[str, dict[str, Any]] = {
    "sales_forecast": {"store": "S001", "item": "I0001", "date": "2026-07-02"},
    "fraud": {"event_id": "e", "event_at": "2026-03-01T09:31:00Z", "keys": {"card": "c"}},
}


@pytest.mark.parametrize(
    ("name", "fields", "taken"),
    [
        ("sales_forecast", {"store": "a\x00b"}, False),
        ("sales_forecast", {"store": "\n \ufffd 🥐" * 40}, True),
        ("sales_forecast", {"store": "🥐" * 201}, False),
        ("sales_forecast", {"price": 1e30}, True),
        ("sales_forecast", {"price": 1.001e30}, False),
        ("sales_forecast", {"price": 2**24 + 1}, True),
        ("sales_forecast", {"price": -0.0}, True),
        ("sales_forecast", {"price": None, "promotion": 1e-300}, True),
        ("sales_forecast", {"price": True}, False),
        ("sales_forecast", {"date": "2026-02-30"}, False),
        ("sales_forecast", {"date": "20260702"}, False),
        ("sales_forecast", {"date": None}, False),
        ("recommendations", {"k": 5.0}, True),
        ("recommendations", {"k": 5.5}, False),
        ("recommendations", {"k": 1e300}, False),
        ("recommendations", {"session": ["I0001", "I0001"]}, True),
        ("recommendations", {"session": None}, False),
        ("recommendations", {"allow": None}, True),
        ("recommendations", {"allow": ["I0001", "a\x00b"]}, False),
        ("fraud", {"keys": {"a\x00b": "c"}}, False),
        ("fraud", {"keys": {"a" * 64: "c"}}, False),
        ("fraud", {"keys": {str(n): "c" for n in range(1000)}}, True),
        ("fraud", {"keys": {str(n): "c" for n in range(1001)}}, False),
        ("fraud", {"keys": {}}, True),  # what a stream asks for is said as 422
        ("fraud", {"amounts": {"amount": -0.01}}, False),
        ("fraud", {"amounts": {"amount": True}}, False),
        ("fraud", {"attributes": {"channel": None}}, False),
        ("fraud", {"event_at": "2026-03-01T09:31:00"}, False),
        ("fraud", {"event_at": "2026-03-01T09:31:00+02:00"}, True),
        ("fraud", {"record": None}, False),
    ],
)
def test_what_is_at_the_edge_is_taken_by_both_or_by_neither(
    name: str, fields: dict[str, Any], taken: bool
) -> None:
    form = get_model(name).endpoint.request
    body = LEAST.get(name, {}) | fields
    by_schema = Draft202012Validator(
        request_schema(form), format_checker=Draft202012Validator.FORMAT_CHECKER
    )
    assert by_schema.is_valid(body) == taken
    with nullcontext() if taken else pytest.raises(InvalidRequest):
        parse(form, json.dumps(body).encode())


def largest(schema: dict[str, Any]) -> Any:
    """The longest text or list, the largest number; of an object, one field, as a stream says how
    many there are."""
    (schema, *_) = [one for one in schema.get("anyOf", [schema]) if one.get("type") != "null"]
    if "const" in schema:
        return schema["const"]
    match schema["type"]:
        case "array":
            return [largest(schema["items"])] * schema["maxItems"]
        case "string":
            written = {"date": "2026-07-02", "date-time": "2026-07-02T09:00:00.000001+02:00"}
            return written.get(schema.get("format", "")) or "x" * schema["maxLength"]
        case "object":
            name = largest({"type": "string", **schema["propertyNames"]})
            return {name: largest(schema["additionalProperties"])}
        case "boolean":
            return True
        case _:
            return schema.get("maximum", 1e308)
