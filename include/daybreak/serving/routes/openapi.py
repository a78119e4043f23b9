"""``GET /v1/openapi.json``: the routes, made from the forms that parse requests and answers."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.metadata import version
from typing import Any

from flask import Blueprint, Response, request
from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from daybreak.models.base import AnyModel
from daybreak.serving.http.encoding import json_response
from daybreak.serving.schemas import (
    Failure,
    Health,
    ModelDetail,
    ModelList,
    Readiness,
    prediction_form,
)
from daybreak.serving.service import current_service

blueprint = Blueprint("openapi", __name__)
Json = dict[str, Any]

FAULTS = {
    400: "The body is not the JSON asked for; each wrong field is named.",
    401: "No valid credential.",
    404: "There is no such model, or the entity asked about is unknown.",
    413: "The body is too long.",
    415: "The body is not declared as JSON.",
    429: "The caller asks more often than it may.",
    422: "The date is outside the published horizon.",
    503: "Nothing is published or in force, the artifact is missing or altered, or the warehouse "
    "is down.",
}


@blueprint.get("/v1/openapi.json")
def openapi() -> Response:
    """The document, with this mount as its server."""
    return json_response(document(current_service().models, request.script_root or "/"))


def document(models: Mapping[str, AnyModel], server: str) -> Json:
    """The OpenAPI 3.1 document. Each model has a path of its own, because requests differ."""
    answers = {name: prediction_form(model) for name, model in models.items()}
    forms = _Forms(
        [Failure, Health, ModelDetail, ModelList, Readiness],
        [model.endpoint.request for model in models.values()],
        list(answers.values()),
    )
    paths: Json = {
        "/healthz": {"get": _public("The process lives", forms.answer(Health))},
        "/readyz": {
            "get": _public("Predictions can be answered", forms.answer(Readiness))
            | {"responses": forms.answer(Readiness) | forms.faults(503)}
        },
        "/v1/openapi.json": {
            "get": _closed("This document", _any_object() | forms.faults(401, 429, 503))
        },
        "/v1/models": {
            "get": _closed("All models", forms.answer(ModelList) | forms.faults(401, 429, 503))
        },
        "/v1/models/{model}": {
            "get": _closed(
                "One model", forms.answer(ModelDetail) | forms.faults(401, 404, 429, 503)
            )
            | {"parameters": [_model_parameter(models)]}
        },
    }
    for name, model in models.items():
        paths[f"/v1/models/{name}/predict"] = {
            "post": _closed(
                f"One prediction of {name}", forms.answer(answers[name]) | forms.faults(*FAULTS)
            )
            | {"requestBody": {"required": True, "content": forms.content(model.endpoint.request)}}
        }
    return {
        "openapi": "3.1.0",
        "info": {"title": "Daybreak", "version": version("daybreak")},
        "servers": [{"url": server}],
        "paths": paths,
        "components": {
            "schemas": forms.schemas,
            "securitySchemes": {
                "bearer": {"type": "http", "scheme": "bearer"},
                "api_key": {"type": "apiKey", "in": "header", "name": "X-API-Key"},
            },
        },
    }


class _Forms:
    """Forms and the schemas that the document refers to them by."""

    def __init__(
        self,
        answers: list[type[BaseModel]],
        requests: list[type[BaseModel]],
        predictions: list[type[BaseModel]],
    ) -> None:
        # A request is described as it is sent, an answer as it is written.
        asked = [(form, "validation") for form in requests]
        given = [(form, "serialization") for form in answers + predictions]
        self._refs, definitions = models_json_schema(
            asked + given,  # type: ignore[arg-type]  # the mode is one of two literals
            ref_template="#/components/schemas/{model}",
        )
        self.schemas: Json = definitions["$defs"]

    def content(self, form: type[BaseModel], mode: str = "validation") -> Json:
        schema = self._refs[(form, mode)]  # type: ignore[index]  # as above
        return {"application/json": {"schema": schema}}

    def answer(self, form: type[BaseModel]) -> Json:
        return {"200": {"description": "OK", "content": self.content(form, "serialization")}}

    def faults(self, *statuses: int) -> Json:
        content = self.content(Failure, "serialization")
        return {
            str(status): {"description": FAULTS[status], "content": content} for status in statuses
        }


def _public(summary: str, responses: Json) -> Json:
    return {"summary": summary, "security": [], "responses": responses}


def _closed(summary: str, responses: Json) -> Json:
    return {
        "summary": summary,
        "security": [{"bearer": []}, {"api_key": []}],
        "responses": responses,
    }


def _any_object() -> Json:
    content = {"application/json": {"schema": {"type": "object"}}}
    return {"200": {"description": "OK", "content": content}}


def _model_parameter(models: Mapping[str, AnyModel]) -> Json:
    schema = {"type": "string", "enum": sorted(models)}
    return {"name": "model", "in": "path", "required": True, "schema": schema}
