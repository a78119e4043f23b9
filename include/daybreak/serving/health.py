"""``GET /healthz`` (the process lives) and ``GET /readyz`` (predictions can be answered)."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from flask import Blueprint, Response
from sqlalchemy import Engine, select
from sqlalchemy.exc import ProgrammingError

from daybreak.errors import DaybreakError, NotReady
from daybreak.serving.auth import public
from daybreak.serving.encoding import json_response
from daybreak.serving.schemas import Health, Readiness
from daybreak.serving.service import Service, current_service
from daybreak.warehouse.engine import connect
from daybreak.warehouse.migrate import check_current

blueprint = Blueprint("health", __name__)


@blueprint.get("/healthz")
@public
def healthz() -> Response:
    """Depends on nothing: a restart would not help a service whose warehouse is away."""
    return json_response(Health().model_dump())


@blueprint.get("/readyz")
@public
def readyz() -> Response:
    """The warehouse answers and each model has a publication whose artifact is loaded."""
    outcomes = _checks(current_service())
    faults = {name: error for name, error in outcomes.items() if error is not None}
    if faults:
        raise NotReady(
            " ".join(f"{name}: {error.message}" for name, error in faults.items()),
            remedy=" ".join(dict.fromkeys(error.remedy for error in faults.values())),
            checks={name: error.code for name, error in faults.items()},
        )
    return json_response(Readiness(checks=dict.fromkeys(outcomes, "ok")).model_dump())


def _checks(service: Service) -> dict[str, DaybreakError | None]:
    engine = service.runtime.engine

    def warehouse() -> None:
        with connect(engine) as conn:
            conn.execute(select(1))

    outcomes = {"warehouse": _outcome(engine, warehouse)}
    for name in service.models:
        outcomes[name] = _outcome(engine, partial(service.publications.current, name))
    return outcomes


def _outcome(engine: Engine, check: Callable[[], object]) -> DaybreakError | None:
    try:
        check()
    except DaybreakError as error:
        return error
    except ProgrammingError:
        # A table or column is not there. Only then is the schema looked at: replicas of two
        # releases serve side by side while it is ahead of one of them.
        try:
            check_current(engine)
        except DaybreakError as error:
            return error
        raise
    return None
