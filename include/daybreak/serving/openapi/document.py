"""The OpenAPI 3.1 document of an app, from its routes and what stands beside their views."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from itertools import chain
from typing import Any

from flask import Flask

from daybreak.models.base import AnyModel
from daybreak.serving.address import address_parameters
from daybreak.serving.forms import query_of
from daybreak.serving.http.auth import is_public
from daybreak.serving.http.failures import failure, speaks_inference
from daybreak.serving.inference.forms import InferenceFailure
from daybreak.serving.inference.scoring import offered
from daybreak.serving.openapi.description import JSON, Description, description_of
from daybreak.serving.openapi.examples import asked, given
from daybreak.serving.openapi.faults import (
    ANY,
    CLOSED,
    FAULTS,
    OF_DECISIONS,
    WAITING,
    WITH_BODY,
    WITH_PARAMETERS,
)
from daybreak.serving.openapi.forms import Form, Forms, Json, query_parameters
from daybreak.serving.schemas import Failure, answer_forms
from daybreak.serving.service import Service, service_of

ABOUT = (
    "Predictions from the artifacts that scored the last night, bit for bit. `GET /v1/models` says "
    "what is served; a key comes from `daybreak keys create NAME`. Bodies may be sent with "
    "`Content-Encoding: gzip`."
)
_CALLER: list[Json] = [{"bearer": []}, {"api_key": []}]
_UNCHANGED: Json = {"description": "The answer is still the one that `If-None-Match` names."}
_IF_NONE_MATCH: Json = {
    "name": "If-None-Match",
    "in": "header",
    "description": "The `ETag` of an answer that is there already.",
    "schema": {"type": "string"},
}
_VARIABLE = re.compile(r"<(\w+)>")


def document(app: Flask, server: str) -> Json:
    """The document, with ``server`` as the address that paths are beneath."""
    service = service_of(app)
    operations = list(_operations(app))
    forms = Forms(
        chain.from_iterable(one.bodies for one in operations),
        [
            *chain.from_iterable(one.answers for one in operations),
            *(_failure_form(one.path) for one in operations),
        ],
    )
    paths: Json = {}
    for one in operations:
        paths.setdefault(one.path, {})[one.method] = _described(
            one, forms, _named(service, one.path)
        )
    return {
        "openapi": "3.1.0",
        "info": {"title": "Daybreak", "version": version("daybreak"), "description": ABOUT},
        "servers": [{"url": server}],
        "tags": [{"name": tag} for tag in dict.fromkeys(one.said.tag for one in operations)],
        "paths": paths,
        "components": {
            "schemas": forms.schemas,
            "securitySchemes": {
                "bearer": {"type": "http", "scheme": "bearer"},
                "api_key": {"type": "apiKey", "in": "header", "name": "X-API-Key"},
            },
        },
    }


@dataclass(frozen=True)
class _Operation:
    """A method of a path; of a route that answers for each model, each is one of its own."""

    path: str
    method: str
    summary: str
    public: bool
    said: Description
    model: AnyModel | None
    bodies: Sequence[Form]
    answers: Sequence[Form]

    @property
    def id(self) -> str:
        return f"{self.said.operation}_{self.model.name}" if self.model else self.said.operation

    @property
    def variables(self) -> list[str]:
        return re.findall(r"{(\w+)}", self.path)

    @property
    def statuses(self) -> Sequence[int]:
        found = {*ANY, *self.said.faults}
        found |= {*WAITING} if self.said.waits else set()
        found |= {*CLOSED, *WAITING} if not self.public else set()
        found |= {*WITH_BODY} if self.bodies else set()
        found |= {*WITH_PARAMETERS} if self.variables or self.model else set()
        found |= {*OF_DECISIONS} if self.model and self.model.decides else set()
        return sorted(found)


def _operations(app: Flask) -> Iterator[_Operation]:
    service = service_of(app)
    for rule in app.url_map.iter_rules():
        view = app.view_functions[rule.endpoint]
        said = description_of(view)
        if said is None:
            continue
        if "<name>" in rule.rule and not said.each_model and not _named(service, rule.rule):
            continue  # it would be for none
        summary = (view.__doc__ or "").strip().partition("\n")[0]
        (method,) = (rule.methods or set()) - {"HEAD", "OPTIONS"}
        for model in service.models.values() if said.each_model else (None,):
            if model and model.decides and said.by_address:
                continue  # it is refused: a decision is asked for by a body
            path = rule.rule.replace("<name>", model.name if model else "{model}")
            yield _Operation(
                _VARIABLE.sub(r"{\1}", path),
                method.lower(),
                f"{summary.rstrip('.')}: {model.name}." if model else summary,
                is_public(view),
                said,
                model,
                *_forms(service, said, model),
            )


def _named(service: Service, path: str) -> Iterable[str]:
    """The models that a path may name."""
    return offered(service) if speaks_inference(path) else service.models


def _forms(
    service: Service, said: Description, model: AnyModel | None
) -> tuple[Sequence[Form], Sequence[Form]]:
    """Of the body and of the answer; a model has those of one request and of many."""
    if model is None:
        return [said.body] if said.body else [], [said.answer] if said.answer else []
    *answers, looked_up = answer_forms(model)
    if said.by_address:
        return [], [looked_up]
    return [model.endpoint.request, service.many[model.name]], answers


def _described(one: _Operation, forms: Forms, models: Iterable[str]) -> Json:
    found: Json = {
        "operationId": one.id,
        "tags": [one.said.tag],
        "summary": one.summary,
        "security": [] if one.public else _CALLER,
    }
    parameters = [_parameter(name, models) for name in one.variables]
    if one.said.query:
        named = query_of(one.model) if one.model else one.said.query.model_fields
        parameters += [each for each in query_parameters(one.said.query) if each["name"] in named]
    if one.said.by_address and one.model:
        parameters += [*address_parameters(one.model.endpoint.request), _IF_NONE_MATCH]
    if parameters:
        found["parameters"] = parameters
    if one.bodies:
        content: Json = {"schema": _one_of(map(forms.asked, one.bodies))}
        if one.model and one.model.endpoint.examples:
            content["examples"] = asked(one.model)
        found["requestBody"] = {"required": True, "content": {JSON: content}}
    unchanged = {"304": _UNCHANGED} if one.said.by_address else {}
    found["responses"] = (
        {"200": _answer(one, forms)}
        | unchanged
        | {str(status): _fault(status, one.path, forms) for status in one.statuses}
    )
    return found


def _answer(one: _Operation, forms: Forms) -> Json:
    if not one.answers:
        kind = "object" if one.said.media == JSON else "string"
        content: Json = {"schema": {"type": kind}}
    else:
        content = {"schema": _one_of(map(forms.given, one.answers))}
        if one.model and one.model.endpoint.examples:
            content["examples"] = given(one.model, by_address=one.said.by_address)
    found: Json = {"description": "OK", "content": {one.said.media: content}}
    if one.said.links:
        found["links"] = {
            name: {"operationId": name, "parameters": dict(parameters)}
            for name, parameters in one.said.links.items()
        }
    return found


def _one_of(schemas: Iterable[Json]) -> Json:
    found = list(schemas)
    return {"oneOf": found} if found[1:] else found[0]


def _failure_form(path: str) -> Form:
    return InferenceFailure if speaks_inference(path) else Failure


def _fault(status: int, path: str, forms: Forms) -> Json:
    fault = FAULTS[status]
    content = {"schema": forms.given(_failure_form(path)), "example": failure(fault.error, path)}
    return {"description": fault.when, "content": {JSON: content}}


def _parameter(name: str, models: Iterable[str]) -> Json:
    schema: dict[str, Any] = {"type": "string", "minLength": 1}
    if name == "model":
        schema = {"type": "string", "enum": sorted(models)}
    return {"name": name, "in": "path", "required": True, "schema": schema}
