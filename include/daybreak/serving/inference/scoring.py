"""Tensors to answers, by the same forms and the same service as every other request."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from daybreak.errors import DaybreakError, InvalidRequest, NotFound
from daybreak.models.base import AnyModel
from daybreak.serving.answers import Answering
from daybreak.serving.http.body import LONGEST_NAME, MOST_FAULTS, parse
from daybreak.serving.http.encoding import encoded
from daybreak.serving.inference.forms import InferRequest
from daybreak.serving.inference.tensors import outputs_of, rows_of, tensors_of
from daybreak.serving.publications import Publication
from daybreak.serving.service import Service

Json = dict[str, Any]
BESIDE = ("gate", "generation", "business_date", "watermark")
"""What answers say beside their predictions, the same for all rows of a request."""


def infer(service: Service, model: AnyModel, version: str | None, asked: InferRequest) -> Json:
    """The answer to all rows, as of one publication. ``version``: None is that in force.

    Raises what a prediction raises, the row named, and ``InvalidRequest`` for tensors that the
    model does not take.
    """
    publication = in_force(service, model, version)
    columns = outputs_of(model)
    wanted = [one.name for one in asked.outputs or ()]
    if unknown := sorted({*wanted} - columns.keys()):
        raise InvalidRequest(
            f"There is no output {', '.join(unknown[:MOST_FAULTS])[: 10 * LONGEST_NAME]}.",
            remedy=f"The outputs are: {', '.join(columns)}.",
            field="outputs",
        )
    form = model.endpoint.request
    typed = []
    for row, fields in enumerate(rows_of(form, asked.inputs)):
        with _named(row):
            typed.append(parse(form, encoded(fields)))
    answering = Answering(model, publication, service.inputs, counted=service.asked)
    head, found = answering.each(typed)
    answers = []
    for row, answer in enumerate(found):
        with _named(row):
            if isinstance(answer, DaybreakError):
                raise answer
            answers.append(answer)
    outputs = tensors_of(answers, [columns[name] for name in wanted or columns])
    return {
        "model_name": model.name,
        "model_version": publication.version,
        **({} if asked.id is None else {"id": asked.id}),
        "parameters": {name: head[name] for name in BESIDE if name in head},
        # What no row has, such as another price, is left out, unless it was asked for.
        "outputs": outputs if wanted else [one for one in outputs if {*one["data"]} != {None}],
    }


def in_force(service: Service, model: AnyModel, version: str | None) -> Publication:
    """What answers. Raises ``NotFound`` where that is another version than the one asked for."""
    publication = service.publication(model)
    if version not in (None, publication.version):
        raise NotFound(
            f"This version of {model.name} is not in force.",
            remedy=f"Leave the version out, or ask for that of GET /v2/models/{model.name}.",
            field="version",
        )
    return publication


def offered(service: Service) -> list[str]:
    """Names of the models that can be asked with tensors."""
    return sorted(name for name, model in service.models.items() if not model.decides)


def model_of(service: Service, name: str) -> AnyModel:
    """Raises ``NotFound``, also for a model whose requests are events: their fields are objects,
    which are no tensors."""
    known = offered(service)
    if name in known:
        return service.models[name]
    if name in service.models:
        raise NotFound(
            f"{name} is asked about events, which are no tensors.",
            remedy=f"POST /v1/models/{name}/predict takes them.",
            field="model",
            models=known,
        )
    raise NotFound(
        "There is no model of this name.",
        remedy=f"The models are: {', '.join(known)}.",
        field="model",
        models=known,
    )


@contextmanager
def _named(row: int) -> Iterator[None]:
    """Let an error say which row it is about."""
    try:
        yield
    except DaybreakError as error:
        error.message = f"Row {row}: {error.message}"
        error.details["row"] = row
        raise
