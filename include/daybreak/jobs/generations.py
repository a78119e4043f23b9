"""Generations for the command line: which there are, and how each came about."""

from __future__ import annotations

from dataclasses import asdict
from datetime import date
from typing import Any

from sqlalchemy import select

from daybreak.errors import InvalidRequest
from daybreak.jobs.report import as_json
from daybreak.ledger.generations import State, get_generation
from daybreak.ledger.upstream import read_upstream
from daybreak.ledger.verdicts import gate_of
from daybreak.models import get_model
from daybreak.runtime import Runtime, get_runtime
from daybreak.warehouse.engine import connect
from daybreak.warehouse.tables import generation as generations
from daybreak.warehouse.tables import step


def list_generations(
    model: str | None = None,
    business_date: date | None = None,
    state: str | None = None,
    last: int = 20,
    runtime: Runtime | None = None,
) -> list[dict[str, Any]]:
    """The ``last`` rows of ``ops.generation``, the newest first, JSON-able.

    Raises ``NotFound`` for an unknown model and ``InvalidRequest`` for an unknown state.
    """
    runtime = runtime or get_runtime()
    query = select(generations).order_by(generations.c.generation_id.desc()).limit(last)
    if model is not None:
        query = query.where(generations.c.model == get_model(model).name)
    if business_date is not None:
        query = query.where(generations.c.business_date == business_date)
    if state is not None:
        query = query.where(generations.c.state == _known(state))
    with connect(runtime.engine) as conn:
        return [as_json(dict(row)) for row in conn.execute(query).mappings()]


def show_generation(generation_id: int, runtime: Runtime | None = None) -> dict[str, Any]:
    """One row of ``ops.generation`` with ``gate`` (of its version), ``basis`` (generations of other
    models that it was made from, each with its ``state``) and ``steps`` (of its run).

    Raises ``NotFound``.
    """
    runtime = runtime or get_runtime()
    with connect(runtime.engine) as conn:
        get_generation(conn, generation_id)
        found = select(generations).where(generations.c.generation_id == generation_id)
        row = as_json(dict(conn.execute(found).mappings().one()))
        steps = select(step).where(step.c.run_key == row["run_key"]).order_by(step.c.started_at)
        return {
            **row,
            "gate": gate_of(conn, row["model"], row["version"]),
            "basis": [asdict(one) for one in read_upstream(conn, row["snapshot_id"])],
            "steps": [as_json(dict(one)) for one in conn.execute(steps).mappings()],
        }


def _known(state: str) -> State:
    try:
        return State(state)
    except ValueError:
        raise InvalidRequest(
            f"There is no state {state!r}.",
            remedy=f"The states are: {', '.join(State)}; docs/generations.md draws them.",
            field="state",
        ) from None
