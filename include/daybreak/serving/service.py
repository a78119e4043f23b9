"""What the views share: one object an app, made by ``create_app``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, cast

from flask import Flask, current_app
from pydantic import BaseModel

from daybreak.errors import DaybreakError, NotFound
from daybreak.models.base import AnyModel
from daybreak.runtime import Runtime
from daybreak.serving.answers import MANY, SCORES_ALONE, Answered, Answering, Wanted
from daybreak.serving.asked import AskedRows
from daybreak.serving.decisions import Decisions, listed
from daybreak.serving.forms import Many
from daybreak.serving.http.encoding import encoded_answer
from daybreak.serving.inputs import Inputs
from daybreak.serving.metrics.registry import ServiceMetrics
from daybreak.serving.publications import Publication, Publications
from daybreak.serving.remembered import Remembered
from daybreak.serving.shadows import Shadows
from daybreak.serving.streams import Streams

_EXTENSION = "daybreak"


@dataclass(frozen=True)
class Service:
    """The models and what is cached for them. Safe for many threads.

    ``many``: the form of many requests at once, by model. ``absent``: those that the data set
    cannot carry, each with the reason.
    """

    runtime: Runtime
    models: Mapping[str, AnyModel]
    publications: Publications
    inputs: Inputs
    shadows: Shadows
    streams: Streams
    decisions: Decisions
    asked: AskedRows
    many: Mapping[str, type[Many]]
    absent: Mapping[str, str] = field(default_factory=dict)
    remembered: Remembered = field(default_factory=Remembered)
    metrics: ServiceMetrics = field(default_factory=ServiceMetrics)

    def model(self, name: str) -> AnyModel:
        """Raises ``NotFound``, naming the models that exist."""
        if name not in self.models:
            known = sorted(self.models)
            raise NotFound(
                "There is no model of this name.",
                remedy=f"The models are: {', '.join(known)}.",
                field="model",
                models=known,
            )
        return self.models[name]

    def publication(self, model: AnyModel) -> Publication:
        """What answers requests of the model.

        Raises what ``Publications.current`` does, also of the models that it reads the scores of:
        without them it has no answer either.
        """
        for read in model.reads:
            self.publications.current(read.model)
        return self.publications.current(model.name)

    def predict(
        self,
        model: AnyModel,
        asked: BaseModel | Many,
        wanted: Wanted = SCORES_ALONE,
        started: float = 0.0,
    ) -> Answered:
        """The answer to one typed request, or to many, wholly from one publication.

        ``started``: when the request came, by ``time.perf_counter``.
        """
        publication = self.publications.current(model.name)
        if model.decides:
            forms: list[Any] = asked.rows if isinstance(asked, Many) else [asked]
            found = self.decisions.of(model, publication, forms, wanted, started)
            if isinstance(asked, Many):
                json = listed(model, publication, found)
                return Answered(json, model.name, publication.version, MANY)
            if isinstance(found[0], DaybreakError):
                raise found[0]
            return Answered(found[0], model.name, publication.version, "live")
        if isinstance(asked, Many):
            answering = Answering(model, publication, self.inputs, wanted, self.asked)
            answers = answering.many(asked.rows)
            return Answered(encoded_answer(answers), model.name, publication.version, MANY)
        if publication.canary is not None:
            publication = publication.answering(model, asked)
            side = "champion" if publication.canary else "canary"
            self.runtime.metrics.incr(f"{model.name}.trial.{side}")

        def make() -> Answered:
            found = Answering(model, publication, self.inputs, wanted, self.asked).one(asked)
            json, lasts = encoded_answer(found), not found.get("stale", False)
            return Answered(json, model.name, publication.version, found["source"], lasts)

        if wanted != SCORES_ALONE:
            return make()
        now = self.inputs.now(publication) if publication.moves else None
        begins = now.slot.begins if now and now.moves.is_about_now(asked) else None
        answered = self.remembered.answer(model.name, publication, asked, make, begins)
        if publication.shadow is not None:
            self.shadows.offer(model, publication.shadow, asked, answered.json)
        return answered


def attach(app: Flask, service: Service) -> None:
    """Give an app its service."""
    app.extensions[_EXTENSION] = service


def service_of(app: Flask) -> Service:
    """The service that an app was given."""
    return cast(Service, app.extensions[_EXTENSION])


def current_service() -> Service:
    """The service of the app that handles this request."""
    return service_of(current_app)
