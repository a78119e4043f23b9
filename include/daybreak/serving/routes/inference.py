"""``/v2``: the Open Inference Protocol, as KServe, Triton and their clients speak it."""

from __future__ import annotations

from importlib.metadata import version as release

from flask import Blueprint, Response, g, request
from pydantic import BaseModel

from daybreak.serving.answers import MANY, Answered
from daybreak.serving.http.auth import needs, public
from daybreak.serving.http.body import parse, read_body
from daybreak.serving.http.encoding import encoded, json_bytes, json_response
from daybreak.serving.inference.forms import (
    InferAnswer,
    InferRequest,
    ModelMetadata,
    ModelReady,
    ServerLive,
    ServerMetadata,
    ServerReady,
)
from daybreak.serving.inference.scoring import in_force, infer, model_of
from daybreak.serving.inference.tensors import inputs_of, outputs_of
from daybreak.serving.openapi.description import described
from daybreak.serving.routes.health import readyz
from daybreak.serving.service import current_service

blueprint = Blueprint("inference", __name__, url_prefix="/v2")
TAG = "Open Inference Protocol"
_MODEL = {"model": "$response.body#/name"}
_VERSION = _MODEL | {"version": "$response.body#/versions/0"}


@blueprint.get("")
@needs("predict")
@described("v2_server", TAG, answer=ServerMetadata)
def server() -> Response:
    """What answers."""
    return json_response(ServerMetadata(version=release("daybreak")).model_dump())


@blueprint.get("/health/live")
@public
@described("v2_live", TAG, answer=ServerLive)
def live() -> Response:
    """The process lives."""
    return json_response(ServerLive().model_dump())


@blueprint.get("/health/ready")
@public
@described("v2_ready", TAG, answer=ServerReady)
def ready() -> Response:
    """Predictions can be answered."""
    readyz()
    return json_response(ServerReady().model_dump())


@blueprint.get("/models/<name>")
@needs("predict")
@described(
    "v2_model",
    TAG,
    answer=ModelMetadata,
    links={"v2_model_version": _VERSION, "v2_model_version_ready": _VERSION},
)
def model(name: str) -> Response:
    """What to ask a model with, and what it answers with."""
    return _metadata(name, None)


@blueprint.get("/models/<name>/versions/<version>")
@needs("predict")
@described("v2_model_version", TAG, answer=ModelMetadata)
def model_version(name: str, version: str) -> Response:
    """The same of one version."""
    return _metadata(name, version)


@blueprint.get("/models/<name>/ready")
@public
@described("v2_model_ready", TAG, answer=ModelReady)
def model_ready(name: str) -> Response:
    """The model can be asked."""
    return _ready(name, None)


@blueprint.get("/models/<name>/versions/<version>/ready")
@public
@described("v2_model_version_ready", TAG, answer=ModelReady)
def model_version_ready(name: str, version: str) -> Response:
    """The version can be asked."""
    return _ready(name, version)


@blueprint.post("/models/<name>/infer")
@needs("predict")
@described("v2_infer", TAG, body=InferRequest, answer=InferAnswer, faults=(422,))
def infer_model(name: str) -> Response:
    """Predictions for rows of tensors."""
    return _infer(name, None)


@blueprint.post("/models/<name>/versions/<version>/infer")
@needs("predict")
@described("v2_infer_version", TAG, body=InferRequest, answer=InferAnswer, faults=(422,))
def infer_version(name: str, version: str) -> Response:
    """The same of one version."""
    return _infer(name, version)


def _metadata(name: str, version: str | None) -> Response:
    service = current_service()
    found = model_of(service, name)
    form: type[BaseModel] = found.endpoint.request
    publication = in_force(service, found, version)
    metadata = ModelMetadata(
        name=name,
        versions=[publication.version],
        inputs=[field.tensor for field in inputs_of(form).values()],
        outputs=[field.tensor for field in outputs_of(found).values()],
    )
    return json_response(metadata.model_dump())


def _ready(name: str, version: str | None) -> Response:
    service = current_service()
    in_force(service, model_of(service, name), version)
    return json_response(ModelReady(name=name).model_dump())


def _infer(name: str, version: str | None) -> Response:
    service = current_service()
    found = model_of(service, name)
    body = read_body(request, service.runtime.settings.max_body_bytes, undeclared=True)
    answer = infer(service, found, version, parse(InferRequest, body))
    g.answered = Answered(encoded(answer), name, answer["model_version"], MANY)
    return json_bytes(g.answered.json)
