"""``GET /v1/models`` and ``GET /v1/models/<model>``: what is in force, published and served."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Response

from daybreak.errors import DaybreakError, NoChampion
from daybreak.ledger.champions import champion_at
from daybreak.models.base import AnyModel
from daybreak.serving.http.auth import may, needs
from daybreak.serving.http.encoding import json_response
from daybreak.serving.openapi.description import described
from daybreak.serving.openapi.forms import request_schema
from daybreak.serving.publications import Publication
from daybreak.serving.schemas import Fault, ModelDetail, ModelList, ModelSummary, Published
from daybreak.serving.service import Service, current_service
from daybreak.serving.turn import pass_on

blueprint = Blueprint("catalog", __name__)


@blueprint.get("/v1/models")
@needs("predict")
@described(
    "list_models",
    "Models",
    answer=ModelList,
    links={"get_model": {"model": "$response.body#/models/0/model"}},
)
def models() -> Response:
    """All models that the caller may ask, in short."""
    service = current_service()
    listed = [
        ModelSummary(**_summary(service, model)[0])
        for name, model in service.models.items()
        if may("predict", name)
    ]
    return json_response(ModelList(models=listed).model_dump(mode="json"))


@blueprint.get("/v1/models/<name>")
@needs("predict")
@described("get_model", "Models", answer=ModelDetail)
def model(name: str) -> Response:
    """One model, with the manifest of the served version and the form of a request."""
    service = current_service()
    found = service.model(name)
    summary, publication = _summary(service, found)
    detail = ModelDetail(
        **summary,
        # Columns of a model that decides name an event of its scores, which no request has.
        keys=list(found.keys) if found.answers_from_a_day else [],
        request=request_schema(found.endpoint.request),
        manifest=publication and publication.manifest,
    )
    return json_response(detail.model_dump(mode="json"))


def _summary(service: Service, model: AnyModel) -> tuple[dict[str, Any], Publication | None]:
    champion = _champion(service, model)
    try:
        publication = service.publication(model)
    except DaybreakError as error:
        return _fields(service, model, champion, None, _fault(error)), None
    generation = publication.generation
    problem = _fault(publication.problem) if publication.problem else None
    if generation is None:
        return _fields(service, model, champion, None, problem), publication
    published = Published(
        generation=generation.generation_id,
        version=generation.version,
        gate=publication.gate,
        business_date=generation.business_date,
        cutoff=generation.cutoff,
        rows=generation.rows,
        engine=publication.engine.name,
    )
    return _fields(service, model, champion, published, problem), publication


def _fields(
    service: Service,
    model: AnyModel,
    champion: str | None,
    published: Published | None,
    problem: Fault | None,
) -> dict[str, Any]:
    return {
        "model": model.name,
        "champion": champion,
        "published": published,
        "problem": problem,
        "absent": service.absent.get(model.name),
    }


def _fault(error: DaybreakError) -> Fault:
    return Fault(**error.as_json()["error"])


def _champion(service: Service, model: AnyModel) -> str | None:
    pass_on()
    with service.runtime.asking.connect() as conn:
        try:
            return champion_at(conn, model.name, service.runtime.clock())
        except NoChampion:
            return None
