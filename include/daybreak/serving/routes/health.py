"""``GET /healthz`` (the process lives) and ``GET /readyz`` (predictions can be answered)."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from flask import Blueprint, Response
from sqlalchemy import select
from sqlalchemy.exc import ProgrammingError

from daybreak.errors import DaybreakError, NoChampion, NotCarried, NotPublished, NotReady
from daybreak.models import model_relations
from daybreak.serving.http.auth import public
from daybreak.serving.http.encoding import json_response
from daybreak.serving.openapi.description import described
from daybreak.serving.schemas import Health, Readiness
from daybreak.serving.service import Service, current_service
from daybreak.serving.turn import pass_on
from daybreak.warehouse.migrate import check_current

blueprint = Blueprint("health", __name__)


@blueprint.get("/healthz")
@public
@described("get_health", "Health", answer=Health, waits=False)
def healthz() -> Response:
    """The process lives.

    Depends on nothing: a restart would not help a service whose warehouse is away.
    """
    return json_response(Health().model_dump())


@blueprint.get("/readyz")
@public
@described("get_readiness", "Health", answer=Readiness)
def readyz() -> Response:
    """Predictions can be answered.

    The warehouse answers, and what is published can be predicted.

    A model that has nothing published or in force yet does not keep the others from being served,
    as long as there is one; a fault of any model does, but for one that the data set cannot carry.
    Where a version stays out and the one before goes on, the model is served, and ``checks`` shows
    the problem.
    """
    service = current_service()
    warehouse, models = _warehouse(service), _models(service)
    waiting = {
        name for name, error in models.items() if isinstance(error, NotPublished | NoChampion)
    }
    outcomes = {"warehouse": warehouse, **models}
    passing = waiting if len(waiting) < len(models) else set[str]()
    faults = {
        name: error for name, error in outcomes.items() if error is not None and name not in passing
    }
    if faults:
        raise NotReady(
            " ".join(f"{name}: {error.message}" for name, error in faults.items()),
            remedy=" ".join(dict.fromkeys(error.remedy for error in faults.values())),
            checks={name: error.code for name, error in faults.items()},
        )
    checks = {name: "ok" if error is None else error.code for name, error in outcomes.items()}
    checks |= _staying_out(service, models)
    checks |= dict.fromkeys(service.absent.keys() & service.models.keys(), NotCarried.code)
    return json_response(Readiness(checks=checks).model_dump())


def _warehouse(service: Service) -> DaybreakError | None:
    def answers() -> None:
        pass_on()
        with service.runtime.asking.connect() as conn:
            conn.execute(select(1))

    return _outcome(service, answers)


def _models(service: Service) -> dict[str, DaybreakError | None]:
    return {
        name: _outcome(service, partial(service.publication, model))
        for name, model in service.models.items()
        if name not in service.absent
    }


def _staying_out(service: Service, models: dict[str, DaybreakError | None]) -> dict[str, str]:
    """Of models that are served: why a newer version does not answer."""
    served = {
        name: service.publications.current(name) for name, fault in models.items() if fault is None
    }
    return {name: found.problem.code for name, found in served.items() if found.problem}


def _outcome(service: Service, check: Callable[[], object]) -> DaybreakError | None:
    try:
        check()
    except DaybreakError as error:
        return error
    except ProgrammingError:
        # A table or column is not there. Only then is the schema looked at: replicas of two
        # releases serve side by side while it is ahead of one of them.
        try:
            check_current(service.runtime.engine, model_relations(service.models.values()))
        except DaybreakError as error:
            return error
        raise
    return None
